// Activations, fused products and normalizations.
#include <onnx/onnx_pb.h>

#include <array>
#include <numeric>

#include "frontends/onnx/definitions/definition.h"

namespace lapis::onnx_frontend::definitions {
namespace {

// ---- activations ----------------------------------------------------------------------------------------------------

Body gelu(const Call&) { return std::string("Y = Gelu (X)"); }
Body bias_gelu(const Call&) { return std::string("sum = Add (A, B) C = Gelu (sum)"); }
Body quick_gelu(const Call&) { return std::string("Y = Swish <alpha: float = @alpha> (X)"); }

Body fast_gelu(const Call& call) {
  const bool biased = call.has("bias");
  return (biased ? "sum = Add (X, bias) " : "") + apply("Y", "Gelu <approximate = \"tanh\">", biased ? "sum" : "X");
}

// What ONNX Runtime calls an activation inside of another operator, and the parameters that it takes.
struct Activation {
  std::string_view op;
  std::array<std::string_view, 2> parameters = {};
};
constexpr Activation kActivations[] = {{"Elu", {"alpha"}}, {"HardSigmoid", {"alpha", "beta"}},
                                       {"HardSwish"},      {"LeakyRelu", {"alpha"}},
                                       {"Relu"},           {"Sigmoid"},
                                       {"Softplus"},       {"Softsign"},
                                       {"Tanh"},           {"ThresholdedRelu", {"alpha"}}};

// y = activation(x); the parameters that are given, in their order.
Body activate(const std::string& name, const std::vector<float>& given, const std::string& x, const std::string& y) {
  if (name.empty()) return apply(y, "Identity", x);
  if (name == "Clip" && given.size() == 2)
    return scalar_like("low", text_of(given[0]), x) + scalar_like("high", text_of(given[1]), x) +
           apply(y, "Clip", x + ", low, high");
  const auto* known =
      std::find_if(std::begin(kActivations), std::end(kActivations), [&](const Activation& a) { return a.op == name; });
  if (known == std::end(kActivations)) return refuse("its activation is '" + name + "'");
  std::string attributes;
  for (size_t i = 0; i < std::min(given.size(), known->parameters.size()) && !known->parameters[i].empty(); ++i)
    attributes += (i ? ", " : "") + std::string(known->parameters[i]) + ": float = " + text_of(given[i]);
  return apply(y, attributes.empty() ? name : name + " <" + attributes + ">", x);
}

// ---- products -------------------------------------------------------------------------------------------------------

// Which axis stands where after transBatch (the first goes behind the other
// batches) and trans (the last two change places).
std::vector<int64_t> turned_axes(int64_t rank, bool by_batch, bool turned) {
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (by_batch) std::rotate(axes.begin(), axes.begin() + 1, axes.end() - 1);
  if (turned) std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return axes;
}

// "A_turned = ..." where the call asks for it.
Body turned(const Call& call, const std::string& operand) {
  const bool by_batch = call.integer("transBatch" + operand) != 0, turn = call.integer("trans" + operand) != 0;
  const auto rank = call.rank(operand);
  if ((by_batch || turn) && !rank) return refuse("it transposes '" + operand + "', whose rank is not known");
  if (by_batch && *rank < 2) return error(ErrorKind::Input, "transposes batches of '" + operand + "', which has none");
  if ((by_batch || turn) && *rank > 1)
    return transpose(operand + "_turned", operand, turned_axes(*rank, by_batch, turn));
  return apply(operand + "_turned", "Identity", operand);
}

Body fused_matmul(const Call& call) {
  LAPIS_TRY(const std::string a, turned(call, "A"));
  LAPIS_TRY(const std::string b, turned(call, "B"));
  if (call.number("alpha") == 1) return a + b + apply("Y", "MatMul", "A_turned, B_turned");
  return a + b + "product = MatMul (A_turned, B_turned) " + scalar_like("factor", "@alpha", "A") +
         "Y = Mul (product, factor)";
}

Body fused_gemm(const Call& call) {
  std::vector<float> parameters;
  for (const char* name : {"activation_alpha", "activation_beta"})
    if (call.has_attribute(name)) parameters.push_back(call.number(name));
  LAPIS_TRY(const std::string activation, activate(call.string("activation"), parameters, "sum", "Y"));
  return "sum = Gemm <alpha: float = @alpha, beta: float = @beta, transA: int = @transA, transB: int = @transB> (A, B, "
         "C) " +
         activation;
}

constexpr std::string_view kWindow =
    "auto_pad: string = @auto_pad, dilations: ints = @dilations, group: int = @group, kernel_shape: ints = "
    "@kernel_shape, "
    "pads: ints = @pads, strides: ints = @strides";

Body fused_conv(const Call& call) {
  const bool added = call.has("Z");
  LAPIS_TRY(const std::string activation,
            activate(call.string("activation"), call.numbers("activation_params"), added ? "sum" : "product", "Y"));
  return apply("product", "Conv <" + std::string(kWindow) + ">", "X, W, B") + (added ? "sum = Add (product, Z) " : "") +
         activation;
}

// ---- normalizations -------------------------------------------------------------------------------------------------

Body without_statistics(const Call& call, std::initializer_list<const char*> statistics, std::string body) {
  for (const char* output : statistics)
    if (call.wants(output)) return refuse(std::string("the model uses its output '") + output + "'");
  return body;
}

// The sum that is normalized, which is a result too.
std::string skip_sum(const Call& call) {
  if (!call.has("bias")) return "input_skip_bias_sum = Add (input, skip) ";
  return "skipped = Add (input, skip) input_skip_bias_sum = Add (skipped, bias) ";
}

Body skip_layer_normalization(const Call& call) {
  return without_statistics(call, {"mean", "inv_std_var"},
                            skip_sum(call) +
                                "output = LayerNormalization <axis = -1, epsilon: float = @epsilon> "
                                "(input_skip_bias_sum, gamma, beta)");
}

Body skip_simplified_layer_normalization(const Call& call) {
  return without_statistics(
      call, {"mean", "inv_std_var"},
      skip_sum(call) + "output = RMSNormalization <axis = -1, epsilon: float = @epsilon> (input_skip_bias_sum, gamma)");
}

Body simplified_layer_normalization(const Call& call) {
  return without_statistics(
      call, {"inv_std_var"},
      "Y = RMSNormalization <axis: int = @axis, epsilon: float = @epsilon, stash_type: int = @stash_type> (X, scale)");
}

Body layer_normalization(const Call& call) {
  const bool statistics = call.wants("Mean") || call.wants("InvStdDev");
  return (statistics ? "Y, Mean, InvStdDev" : "Y") +
         std::string(
             " = LayerNormalization <axis: int = @axis, epsilon: float = @epsilon, stash_type: int = @stash_type> "
             "(X, Scale, B)");
}

// ---- embeddings -----------------------------------------------------------------------------------------------------

// The rows of the positions 0, 1, ... of a sequence, or those that the model gives.
std::string position_rows(const Call& call) {
  if (call.has("position_ids")) return "positions = Gather (position_embedding, position_ids) ";
  return "length = Shape <start = 1, end = 2> (input_ids) " + integers("first", {0}) +
         "positions = Slice (position_embedding, first, length, first) ";
}

// How many of a sequence's tokens count.
std::string mask_lengths(const Call& call) {
  const std::string axes = integers("along", {1});
  if (call.has("mask"))
    return axes +
           "one = Constant <value_int = 1> () one_like = CastLike (one, mask) valid = Equal (mask, one_like) "
           "valid_int = Cast <to = 6> (valid) mask_index = ReduceSum <keepdims = 0> (valid_int, along) ";
  return axes + "all_zero = Sub (input_ids, input_ids) mask_index = ReduceSum <keepdims = 0> (all_zero, along) ";
}

Body embed_layer_normalization(const Call& call) {
  const bool segments = call.has("segment_ids") && call.has("segment_embedding");
  return "words = Gather (word_embedding, input_ids) " + position_rows(call) +
         (segments ? "placed = Add (words, positions) segments = Gather (segment_embedding, segment_ids) "
                     "embedding_sum = Add (placed, segments) "
                   : "embedding_sum = Add (words, positions) ") +
         "output = LayerNormalization <axis = -1, epsilon: float = @epsilon> (embedding_sum, gamma, beta) " +
         (call.wants("mask_index") ? mask_lengths(call) : "");
}

// ---- what ONNX took over --------------------------------------------------------------------------------------------

Body trilu(const Call&) { return std::string("Y = Trilu <upper: int = @upper> (X, k)"); }
Body gather_nd(const Call&) {
  return std::string("indices_long = Cast <to = 7> (indices) output = GatherND (data, indices_long)");
}

constexpr Definition kRows[] = {
    {"BiasGelu (A, B) => (C)", 2, bias_gelu, "com.microsoft", false, Halves::InFloat},
    {"EmbedLayerNormalization <epsilon: float = 1e-12, mask_index_type: int = 1> (input_ids, segment_ids, "
     "word_embedding, "
     "position_embedding, segment_embedding, gamma, beta, mask, position_ids) => (output, mask_index, embedding_sum)",
     7, embed_layer_normalization},
    {"FastGelu (X, bias) => (Y)", 1, fast_gelu, "com.microsoft", false, Halves::InFloat},
    {"FusedConv <auto_pad, dilations, group, kernel_shape, pads, strides, activation, activation_params> (X, W, B, Z) "
     "=> (Y)",
     2, fused_conv, "com.microsoft", false, Halves::InFloat},
    {"FusedGemm <activation, activation_alpha, activation_beta, activation_gamma, alpha: float = 1.0, beta: float = "
     "1.0, "
     "transA: int = 0, transB: int = 0> (A, B, C) => (Y)",
     2, fused_gemm, "com.microsoft", false, Halves::InFloat},
    {"FusedMatMul <alpha: float = 1.0, transA: int = 0, transB: int = 0, transBatchA: int = 0, transBatchB: int = 0> "
     "(A, B) => (Y)",
     2, fused_matmul, "com.microsoft", false, Halves::InFloat},
    {"GatherND (data, indices) => (output)", 2, gather_nd},
    {"Gelu (X) => (Y)", 1, gelu},
    {"LayerNormalization <axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1> (X, Scale, B) => (Y, Mean, "
     "InvStdDev)",
     2, layer_normalization, ""},
    {"QuickGelu <alpha: float = 1.702> (X) => (Y)", 1, quick_gelu},
    {"SimplifiedLayerNormalization <axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1> (X, scale) => (Y, "
     "inv_std_var)",
     2, simplified_layer_normalization, ""},
    {"SkipLayerNormalization <epsilon: float = 1e-12> (input, skip, gamma, beta, bias) => (output, mean, inv_std_var, "
     "input_skip_bias_sum)",
     3, skip_layer_normalization, "com.microsoft", false, Halves::InFloat},
    {"SkipSimplifiedLayerNormalization <epsilon: float = 1e-12> (input, skip, gamma, bias) => (output, mean, "
     "inv_std_var, input_skip_bias_sum)",
     3, skip_simplified_layer_normalization, "com.microsoft", false, Halves::InFloat},
    {"TransposeMatMul <alpha: float = 1.0, transA: int = 0, transB: int = 0> (A, B) => (Y)", 2, fused_matmul,
     "com.microsoft", false, Halves::InFloat},
    {"Trilu <upper: int = 1> (X, k) => (Y)", 1, trilu},
};

}  // namespace

std::span<const Definition> float_definitions() { return kRows; }

}  // namespace lapis::onnx_frontend::definitions
