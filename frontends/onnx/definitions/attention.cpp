// Attention, and what turns the vectors that it compares. Heads stand apart inside: [batch, heads, sequence, size].
#include <onnx/onnx_pb.h>

#include "frontends/onnx/definitions/attention.h"
#include "frontends/onnx/definitions/definition.h"

namespace lapis::onnx_frontend::definitions {
namespace {

// ---- masks ----------------------------------------------------------------------------------------------------------

// The places of the keys, [total], and of the queries among them: both end at the same place.
std::string places() {
  return "total_size = Shape <start = 2, end = 3> (all_k) query_size = Shape <start = 2, end = 3> (q) "
         "total = Squeeze (total_size) queries = Squeeze (query_size) before = Sub (total, queries) "
         "zero = Constant <value_int = 0> () one = Constant <value_int = 1> () "
         "key_places = Range (zero, total, one) query_places = Range (before, total, one) ";
}

// What a mask of one number a sequence (or two: where it ends, then where it begins) lets through, [batch, 1,
// 1, total].
Body lets_through_lengths(const Call& call, const std::string& mask, const std::string& input) {
  const Type* type = call.type(input);
  const Dim batch = type && type->ranked() ? type->dim(0) : Dim(), length = call.type(mask)->dim(0);
  const std::string bounds = integers("mask_axes", {1, 2, 3}) + "bounds_int = Unsqueeze (" + mask +
                             ", mask_axes) bounds = Cast <to = 7> (bounds_int) ";
  if (batch.is_known() && length == batch) return bounds + "open = Less (key_places, bounds) ";
  if (batch.is_known() && length == batch * 2)
    return bounds +
           "ends, starts = Split <axis = 0, num_outputs = 2> (bounds) ended = Less (key_places, ends) "
           "begun = GreaterOrEqual (key_places, starts) open = And (ended, begun) ";
  return refuse(
      "its '" + mask + "' has " + length.to_string() + " numbers for " + batch.to_string() + " sequences",
      "fix the sizes of the inputs (--dim, --shape) if they are not known; otherwise " + std::string(kBefore));
}

// What a mask of numbers above zero for what counts lets through.
std::string lets_through_marks(const std::string& mask, std::initializer_list<int64_t> new_axes) {
  return integers("mask_axes", new_axes) + "marks = Unsqueeze (" + mask +
         ", mask_axes) zero_mark_int = Constant <value_int = 0> () zero_mark = CastLike (zero_mark_int, marks) "
         "open = Greater (marks, zero_mark) ";
}

Body lets_through(const Call& call, const std::string& mask, const std::string& input) {
  const auto rank = call.rank(mask);
  if (!rank) return refuse("the rank of its '" + mask + "' is not known");
  switch (*rank) {
    case 1: return lets_through_lengths(call, mask, input);
    case 2: return lets_through_marks(mask, {1, 2});
    case 3: return lets_through_marks(mask, {1});
    default: return refuse("its '" + mask + "' is of rank " + std::to_string(*rank));
  }
}

// "masked = ...": the scores with what the masks close moved far below.
Body masked(const Call& call, const std::string& mask, const std::string& input) {
  std::string text = "scored = Identity (scores) ";
  if (call.has("attention_bias")) text = "scored = Add (scores, attention_bias) ";
  text += scalar_like("closed", "@mask_filter_value", "scores") + scalar_like("nothing", "0.0", "scores");
  if (call.has(mask)) {
    LAPIS_TRY(const std::string open, lets_through(call, mask, input));
    text += open + "mask_term = Where (open, nothing, closed) padded = Add (scored, mask_term) ";
  } else {
    text += "padded = Identity (scored) ";
  }
  if (call.integer("unidirectional") == 0) return text + "masked = Identity (padded) ";
  return text + scalar_like("lowest", "-3.4028234e+38", "scores") + integers("column", {1}) +
         "query_column = Unsqueeze (query_places, column) past_only = GreaterOrEqual (query_column, key_places) "
         "masked = Where (past_only, padded, lowest) ";
}

// ---- the core -------------------------------------------------------------------------------------------------------

std::string factor(const Call& call) {
  if (call.number("scale") != 0) return scalar_like("factor", "@scale", "q");
  return "size = Shape <start = 3, end = 4> (q) size_like = CastLike (size, q) root = Sqrt (size_like) "
         "factor = Reciprocal (root) ";
}

std::string to_heads(const std::string& result, const std::string& value) {
  return apply(result + "_apart", "Reshape", value + ", head_shape") +
         apply(result, "Transpose <perm = [0, 2, 1, 3]>", result + "_apart");
}

std::string head_shape(const Call& call) { return integers("head_shape", {0, 0, call.integer("num_heads"), -1}); }

// From q, all_k and all_v to `output`.
Body attend(const Call& call, const std::string& mask, const std::string& input) {
  LAPIS_TRY(const std::string mask_text, masked(call, mask, input));
  return places() + factor(call) +
         "turned_k = Transpose <perm = [0, 1, 3, 2]> (all_k) products = MatMul (q, turned_k) scores = Mul (products, "
         "factor) " +
         mask_text +
         "weights_of_keys = Softmax <axis = -1> (masked) mixed = MatMul (weights_of_keys, all_v) "
         "mixed_apart = Transpose <perm = [0, 2, 1, 3]> (mixed) " +
         integers("joined", {0, 0, -1}) + "output = Reshape (mixed_apart, joined) ";
}

Body check_heads(const Call& call) {
  if (call.integer("num_heads") < 1) return error(ErrorKind::Input, "num_heads must be at least 1");
  return std::string();
}

// ---- Attention: one product makes queries, keys and values ----------------------------------------------------------

// "q, k, v" of equal sizes, unless the model says others.
Body projections(const Call& call, const std::string& weights) {
  std::string split = "q_flat, k_flat, v_flat = Split <axis = 2, num_outputs = 3> (projected) ";
  const Type* type = call.type(weights);
  const Dim width = call.rank(weights) == 2 ? type->dim(1) : Dim();
  if (call.has_attribute("qkv_hidden_sizes"))
    split =
        "parts = Constant <value_ints: ints = @qkv_hidden_sizes> () q_flat, k_flat, v_flat = Split <axis = 2> "
        "(projected, parts) ";
  else if (width.is_constant() && width.value() % 3 != 0)
    return error(ErrorKind::Input, "its " + width.to_string() + " columns are not three parts of one size");
  return head_shape(call) + split + to_heads("q", "q_flat") + to_heads("k", "k_flat") + to_heads("v", "v_flat");
}

std::string with_past(const Call& call) {
  std::string text = integers("first_axis", {0}) +
                     "past_first = Constant <value_int = 0> () past_second = Constant <value_int = 1> () ";
  text += call.has("past") ? "past_k = Gather (past, past_first) past_v = Gather (past, past_second) all_k = Concat "
                             "<axis = 2> (past_k, k) "
                             "all_v = Concat <axis = 2> (past_v, v) "
                           : "all_k = Identity (k) all_v = Identity (v) ";
  if (!call.wants("present")) return text;
  return text +
         "present_k = Unsqueeze (all_k, first_axis) present_v = Unsqueeze (all_v, first_axis) "
         "present = Concat <axis = 0> (present_k, present_v) ";
}

Body check_state(const Call& call) {
  for (const char* name : {"do_rotary", "past_present_share_buffer"})
    if (call.integer(name) != 0) return refuse(std::string("it asks for ") + name);
  return check_heads(call);
}

Body attention(const Call& call) {
  if (call.has("past_sequence_length")) return refuse("its past state lies in a buffer of the largest length");
  const std::string product = call.has("bias") ? "product = MatMul (input, weights) projected = Add (product, bias) "
                                               : "projected = MatMul (input, weights) ";
  return attention_of(call, "weights", product);
}

// ---- MultiHeadAttention: queries, keys and values are given ---------------------------------------------------------

std::string biased(const Call& call) {
  if (!call.has("bias")) return "q_flat = Identity (query) k_flat = Identity (key) v_flat = Identity (value) ";
  return "q_width = Shape <start = 2, end = 3> (query) k_width = Shape <start = 2, end = 3> (key) "
         "v_width = Shape <start = 2, end = 3> (value) widths = Concat <axis = 0> (q_width, k_width, v_width) "
         "q_bias, k_bias, v_bias = Split <axis = 0> (bias, widths) q_flat = Add (query, q_bias) "
         "k_flat = Add (key, k_bias) v_flat = Add (value, v_bias) ";
}

std::string joined_past(const Call& call, const std::string& what, const std::string& part) {
  const std::string all = "all_" + part, past = "past_" + what;
  std::string text =
      call.has(past) ? apply(all, "Concat <axis = 2>", past + ", " + part) : apply(all, "Identity", part);
  return call.wants("present_" + what) ? text + apply("present_" + what, "Identity", all) : text;
}

Body multi_head_attention(const Call& call) {
  for (const char* operand : {"past_sequence_length", "cache_indirection"})
    if (call.has(operand)) return refuse("its past state lies in a buffer of the largest length");
  if (call.wants("qk")) return refuse("the model uses its output 'qk'");
  if (!call.has("key") || !call.has("value") || call.rank("query") != 3)
    return refuse("its queries, keys and values are not three separate operands of known rank");
  const auto rank = call.rank("key");
  const bool apart = rank == 4;  // keys and values come by heads
  if ((!apart && rank != 3) || call.rank("value") != rank)
    return refuse("its keys and values are neither of rank 3 nor 4");
  if (apart && call.has("bias")) return refuse("it adds a bias to keys that come by heads");
  LAPIS_TRY(std::string text, check_heads(call));
  text = head_shape(call) +
         (apart ? "q_flat = Identity (query) k = Identity (key) v = Identity (value) " : biased(call)) +
         to_heads("q", "q_flat");
  if (!apart) text += to_heads("k", "k_flat") + to_heads("v", "v_flat");
  LAPIS_TRY(const std::string core, attend(call, "key_padding_mask", "query"));
  return text + joined_past(call, "key", "k") + joined_past(call, "value", "v") + core;
}

// ---- RotaryEmbedding ------------------------------------------------------------------------------------------------

// The heads of an input that has them joined, which ONNX Runtime reads off the tables of cosines.
Body rotary_heads(const Call& call) {
  if (call.integer("num_heads") != 0 || call.rank("input") == 4) return std::to_string(call.integer("num_heads"));
  const Type *input = call.type("input"), *cosines = call.type("cos_cache");
  const bool known = input && cosines && call.rank("input") == 3 && call.rank("cos_cache") == 2 &&
                     input->dim(2).is_constant() && cosines->dim(1).is_constant() && cosines->dim(1).value() > 0;
  if (!known) return refuse("neither its num_heads nor the sizes of its operands tell the number of heads");
  return std::to_string(input->dim(2).value() / (2 * cosines->dim(1).value()));
}

// Positions of every token; one number is that of the first.
Body rotary_positions(const Call& call) {
  const auto rank = call.rank("position_ids"), input = call.rank("input");
  if (rank == 2) return std::string("positions = Identity (position_ids) ");
  if (rank != 1 || !input) return refuse("the rank of its operands is not known");
  const std::string axis = *input == 4 ? "start = 2, end = 3" : "start = 1, end = 2";
  return "batch = Shape <start = 0, end = 1> (input) length = Shape <" + axis +
         "> (input) count = Squeeze (length) zero = Constant <value_int = 0> () one = Constant <value_int = 1> () "
         "steps = Range (zero, count, one) from_first = Add (position_ids, steps) shape = Concat <axis = 0> (batch, "
         "length) "
         "positions = Expand (from_first, shape) ";
}

Body rotary_embedding(const Call& call) {
  if (call.integer("is_packed_batching") != 0) return refuse("it asks for is_packed_batching");
  if (call.number("scale") != 1) return refuse("its scale is not 1");
  LAPIS_TRY(const std::string heads, rotary_heads(call));
  LAPIS_TRY(const std::string positions, rotary_positions(call));
  return positions + "output = RotaryEmbedding <interleaved: int = @interleaved, num_heads = " + heads +
         ", rotary_embedding_dim: int = @rotary_embedding_dim> (input, cos_cache, sin_cache, positions)";
}

constexpr Definition kRows[] = {
    {"Attention <do_rotary: int = 0, mask_filter_value: float = -10000.0, num_heads, past_present_share_buffer: int = "
     "0, "
     "qkv_hidden_sizes, rotary_embedding_dim, scale: float = 0.0, unidirectional: int = 0> (input, weights, bias, "
     "mask_index, "
     "past, attention_bias, past_sequence_length) => (output, present)",
     2, attention, "com.microsoft", false, Halves::InFloat},
    {"MultiHeadAttention <mask_filter_value: float = -10000.0, num_heads, scale: float = 0.0, unidirectional: int = 0> "
     "(query, key, "
     "value, bias, key_padding_mask, attention_bias, past_key, past_value, past_sequence_length, cache_indirection) => "
     "(output, present_key, present_value, qk)",
     1, multi_head_attention, "com.microsoft", false, Halves::InFloat},
    {"RotaryEmbedding <interleaved: int = 0, is_packed_batching: int = 0, num_heads: int = 0, rotary_embedding_dim: "
     "int = 0, "
     "scale: float = 1.0> (input, position_ids, cos_cache, sin_cache) => (output)",
     4, rotary_embedding},
};

}  // namespace

Body attention_of(const Call& call, const std::string& weights, const std::string& projected) {
  LAPIS_TRY(const std::string none, check_state(call));
  LAPIS_TRY(const std::string heads, projections(call, weights));
  LAPIS_TRY(const std::string core, attend(call, "mask_index", "input"));
  return none + projected + heads + with_past(call) + core;
}

std::span<const Definition> attention_definitions() { return kRows; }

}  // namespace lapis::onnx_frontend::definitions
