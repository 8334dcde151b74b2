#include "frontends/onnx/sequences.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <numeric>

#include "frontends/onnx/sequence_node.h"
#include "frontends/onnx/types.h"

namespace lapis::onnx_frontend {
namespace {

using Kind = Item::Kind;
using Integers = SequenceNode::Integers;

std::string in_words(int64_t count) { return std::to_string(count) + (count == 1 ? " element" : " elements"); }

// A position from the front in [0, end), `end` being the number of elements, or one more for who inserts.
Result<size_t> from_front(int64_t position, size_t count, size_t end) {
  const auto n = static_cast<int64_t>(count);
  const int64_t at = position < 0 ? position + n : position;
  if (at < 0 || at >= static_cast<int64_t>(end))
    return error(ErrorKind::Input,
                 "position " + std::to_string(position) + " is out of range for a sequence of " + in_words(n));
  return static_cast<size_t>(at);
}

Result<int64_t> checked_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return error(ErrorKind::Input,
                 "axis " + std::to_string(axis) + " is out of range for " + std::to_string(rank) + " axes");
  return axis < 0 ? axis + rank : axis;
}

// ---- sequences that come into being --------------------------------------------------------------------------------

Status construct(SequenceNode& n) {
  std::vector<Value*> elements;
  elements.reserve(static_cast<size_t>(n.proto().input_size()));
  for (int i = 0; i < n.proto().input_size(); ++i) elements.push_back(n.input(i).tensor);
  const DType dtype = elements[0]->dtype();
  return n.finish(list_of(dtype, std::move(elements)));
}

Status empty(SequenceNode& n) {
  const auto dtype = dtype_from_proto(static_cast<int32_t>(n.integer("dtype", onnx::TensorProto::FLOAT)));
  if (!dtype) return error(ErrorKind::Input, "its dtype is none that Lapis knows");
  return n.finish(list_of(*dtype, {}));
}

// One element for each entry along the axis, of which there are not so many that they are known.
Status split_to_stack(SequenceNode& n, int64_t axis, int64_t rank, bool keep) {
  std::vector<int64_t> perm(static_cast<size_t>(rank));
  std::iota(perm.begin(), perm.end(), 0);
  std::rotate(perm.begin(), perm.begin() + axis, perm.begin() + axis + 1);
  std::string rows = n.transposed(n.proto().input(0), perm);
  if (keep) rows = n.apply("Unsqueeze", {rows, n.ints({axis + 1})});
  Item result = {.type = Type::sequence(Type::tensor(n.input(0).tensor->dtype())), .kind = Kind::Stacked};
  result.tensor = n.value(rows);
  return n.finish(std::move(result));
}

Status split_to_list(SequenceNode& n, const std::string& sizes, size_t count, int64_t axis, bool keep) {
  const DType dtype = n.input(0).tensor->dtype();
  if (count == 0) return n.finish(list_of(dtype, {}));
  LAPIS_CHECK(n.host().afford(count, kMadeElement));
  std::vector<Value*> elements;
  for (const std::string& piece : n.split(n.proto().input(0), sizes, count, axis))
    elements.push_back(n.value(keep ? piece : n.apply("Squeeze", {piece, n.ints({axis})})));
  Item result = list_of(dtype, std::move(elements));
  const bool at_hand = !keep && axis == 0;
  if (at_hand) result.tensor = n.input(0).tensor;
  return n.finish(std::move(result));
}

// Pieces of one size but for the last one.
Status split_evenly(SequenceNode& n, int64_t size, int64_t total, int64_t axis) {
  if (size <= 0) return error(ErrorKind::Input, "the size of its pieces is " + std::to_string(size));
  const int64_t count = total / size + (total % size != 0);
  LAPIS_CHECK(n.host().afford(static_cast<size_t>(count), kMadeElement));
  std::vector<int64_t> sizes(static_cast<size_t>(count), size);
  if (total % size != 0) sizes.back() = total % size;
  return split_to_list(n, n.ints(sizes), sizes.size(), axis, true);
}

// How many numbers `split` has: none for one number that holds for all pieces.
Result<std::optional<int64_t>> pieces(const SequenceNode& n) {
  const Type& type = n.input(1).tensor->type();
  if (type.ranked() && type.rank() == 0) return std::optional<int64_t>();
  const Tensor* known = n.host().known(n.proto().input(1));
  if (known && known->rank() == 0) return std::optional<int64_t>();
  if (known) return std::optional(known->size());
  if (type.ranked() && type.rank() == 1 && type.dim(0).is_constant()) return std::optional(type.dim(0).value());
  return unresolved("how many numbers its 'split' has is not known when the model is imported", kBindSizes);
}

Status split_by_sizes(SequenceNode& n, int64_t axis, const std::optional<int64_t>& total) {
  LAPIS_TRY(const std::optional<int64_t> count, pieces(n));
  if (count) {
    const Tensor* known = n.host().known(n.proto().input(1));
    const std::string sizes =
        known ? n.ints(known->as_ints()) : n.apply("Cast", {n.proto().input(1)}, {{"to", onnx::TensorProto::INT64}});
    return split_to_list(n, sizes, static_cast<size_t>(*count), axis, true);
  }
  LAPIS_TRY(const std::optional<int64_t> size, n.position(1));
  if (!size)
    return unresolved("the size of its pieces is computed by the model, so their number is not known",
                      "make 'split' a constant");
  if (!total)
    return unresolved(
        "how long axis " + std::to_string(axis) + " of its input is, and so the number of its pieces, is not known",
        kBindSizes);
  return split_evenly(n, *size, *total, axis);
}

Status split_to_sequence(SequenceNode& n) {
  const Type type = n.input(0).tensor->type();
  if (!type.ranked())
    return unresolved("how many axes its input has is not known when the model is imported", kBindSizes);
  LAPIS_TRY(const int64_t axis, checked_axis(n.integer("axis", 0), type.rank()));
  const std::optional<int64_t> total = type.dim(axis).constant();
  if (n.has(1)) return split_by_sizes(n, axis, total);
  const bool keep = n.integer("keepdims", 1) != 0;
  if (!total) return split_to_stack(n, axis, type.rank(), keep);
  LAPIS_CHECK(n.host().afford(static_cast<size_t>(*total), kMadeElement));
  return split_to_list(n, n.ints(std::vector<int64_t>(static_cast<size_t>(*total), 1)), static_cast<size_t>(*total),
                       axis, keep);
}

// ---- sequences that change -----------------------------------------------------------------------------------------

Diagnostic computed_position(const char* what) {
  return unresolved(std::string("the position at which it ") + what + " is computed by the model",
                    "make the position a constant, or leave it out for the end of the sequence");
}

Diagnostic unknown_length() {
  return unresolved("how many elements its sequence has is not known when the model is imported", kBindSizes);
}

Status append_to_stack(SequenceNode& n, const Item& sequence) {
  const std::string row = n.apply("Unsqueeze", {n.proto().input(1), n.ints({0})});
  Item result = sequence;
  result.tensor = n.value(n.apply("Concat", {n.name(sequence.tensor), row}, {{"axis", 0}}));
  return n.finish(std::move(result));
}

Status insert(SequenceNode& n) {
  LAPIS_TRY(Item sequence, n.sequence(0));
  Value* element = n.input(1).tensor;
  const DType has = sequence.dtype(), gets = element->dtype();
  const bool mixes = has != gets && has != DType::Undefined && gets != DType::Undefined;
  if (mixes)
    return error(ErrorKind::Input, "puts an element of type " + std::string(name_of(gets)) + " into a sequence of " +
                                       std::string(name_of(has)))
        .help("insert a Cast, or correct the dtype of the SequenceEmpty");
  std::optional<int64_t> position;
  if (n.has(2)) {
    LAPIS_TRY(position, n.position(2));
    if (!position) return computed_position("inserts");
  } else if (sequence.kind == Kind::Stacked && is_row_of(sequence.tensor->type(), element->type())) {
    return append_to_stack(n, sequence);
  }
  LAPIS_TRY(auto elements, n.elements(sequence));
  if (!elements) return unknown_length();
  const size_t count = elements->size();
  LAPIS_TRY(const size_t at, from_front(position.value_or(static_cast<int64_t>(count)), count, count + 1));
  elements->insert(elements->begin() + static_cast<ptrdiff_t>(at), element);
  return n.finish(list_of(has, *std::move(elements)));
}

Status erase(SequenceNode& n) {
  LAPIS_TRY(const Item sequence, n.sequence(0));
  std::optional<int64_t> position = -1;
  if (n.has(1)) {
    LAPIS_TRY(position, n.position(1));
  }
  if (!position) return computed_position("erases");
  LAPIS_TRY(auto elements, n.elements(sequence));
  if (!elements) return unknown_length();
  LAPIS_TRY(const size_t at, from_front(*position, elements->size(), elements->size()));
  elements->erase(elements->begin() + static_cast<ptrdiff_t>(at));
  return n.finish(list_of(sequence.dtype(), *std::move(elements)));
}

// ---- what sequences give -------------------------------------------------------------------------------------------

Status at(SequenceNode& n) {
  LAPIS_TRY(const Item sequence, n.sequence(0));
  LAPIS_TRY(const std::optional<int64_t> position, n.position(1));
  const std::optional<int64_t> length = length_of(sequence);
  if (position && length) {
    const auto count = static_cast<size_t>(*length);
    LAPIS_TRY(const size_t index, from_front(*position, count, count));
    if (sequence.kind == Kind::List) {
      Value* element = sequence.elements[index];
      return n.finish(Item{.type = element->type(), .tensor = element});
    }
  }
  if (length == 0) return error(ErrorKind::Input, "reads an element of a sequence that has none");
  LAPIS_TRY(const std::string rows, n.stacked(sequence, "the position is computed by the model"));
  return n.finish("Gather", {rows, n.scalar(n.proto().input(1))}, {{"axis", 0}});
}

Status length(SequenceNode& n) {
  LAPIS_TRY(const Item sequence, n.sequence(0));
  if (const auto known = length_of(sequence)) {
    Value* count = n.value(n.host().add_constant(Tensor::scalar(*known), n.proto().output(0)));
    return n.finish(Item{.type = count->type(), .tensor = count});
  }
  const std::string count = n.apply("Shape", {n.name(sequence.tensor)}, {{"start", 0}, {"end", 1}});
  return n.finish("Reshape", {count, n.ints({})});
}

Status concat_list(SequenceNode& n, const Item& sequence, int64_t axis, bool new_axis) {
  if (sequence.elements.empty()) return error(ErrorKind::Input, "concatenates a sequence that has no elements");
  LAPIS_CHECK(n.host().afford(sequence.elements.size(), kMadeElement));
  std::vector<std::string> names;
  for (Value* v : sequence.elements)
    names.push_back(new_axis ? n.apply("Unsqueeze", {n.name(v), n.ints({axis})}) : n.name(v));
  return n.finish("Concat", names, {{"axis", axis}});
}

Status concat_stack(SequenceNode& n, const Item& sequence, int64_t axis, bool new_axis) {
  const Type& type = sequence.tensor->type();
  const bool is_whole = new_axis && axis == 0;
  if (is_whole) return n.finish(Item{.type = type, .tensor = sequence.tensor});
  if (!type.ranked())
    return unresolved("how many axes the elements of its sequence have is not known when the model is imported",
                      kBindSizes);
  LAPIS_TRY(axis, checked_axis(axis, new_axis ? type.rank() : type.rank() - 1));
  std::vector<int64_t> perm(static_cast<size_t>(type.rank()));
  std::iota(perm.begin(), perm.end(), 0);
  std::rotate(perm.begin(), perm.begin() + 1, perm.begin() + axis + 1);
  const std::string rows = n.transposed(n.name(sequence.tensor), perm);
  if (new_axis) return n.finish("Identity", {rows});
  return n.finish("Reshape", {rows, n.merged_shape(rows, axis)}, {{"allowzero", 1}});
}

Status concat(SequenceNode& n) {
  LAPIS_TRY(const Item sequence, n.sequence(0));
  const int64_t axis = n.integer("axis", 0);
  const bool new_axis = n.integer("new_axis", 0) != 0;
  return sequence.kind == Kind::List ? concat_list(n, sequence, axis, new_axis)
                                     : concat_stack(n, sequence, axis, new_axis);
}

Status identity(SequenceNode& n) { return n.finish(n.input(0)); }

// ---- optionals -----------------------------------------------------------------------------------------------------

Status optional(SequenceNode& n) {
  if (n.has(0)) {
    LAPIS_TRY(Item item, n.sequence(0));
    item.type = Type::optional(item.type);
    return n.finish(std::move(item));
  }
  for (const auto& attribute : n.proto().attribute()) {
    if (attribute.name() != "type") continue;
    LAPIS_TRY(Type type, from_proto(attribute.tp()));
    return n.finish(Item{.type = Type::optional(std::move(type)), .kind = Kind::Absent});
  }
  return error(ErrorKind::Input, "has neither an element nor the type of one");
}

Status has_element(SequenceNode& n) {
  bool has = n.has(0);
  if (has) {
    LAPIS_TRY(const Item item, n.sequence(0));
    has = item.kind != Kind::Absent;
  }
  Value* truth = n.value(n.host().add_constant(Tensor::scalar(has), n.proto().output(0)));
  return n.finish(Item{.type = truth->type(), .tensor = truth});
}

Status get_element(SequenceNode& n) {
  LAPIS_TRY(Item item, n.sequence(0));
  if (item.kind == Kind::Absent) return error(ErrorKind::Input, "asks for the element of an optional that has none");
  if (item.type.kind == Type::Kind::Optional) item.type = Type(*item.type.element);
  return n.finish(std::move(item));
}

// ---- the table -----------------------------------------------------------------------------------------------------

struct Row {
  std::string_view op;
  Resolve resolve;
  bool always = true;  // else only if the node reads sequences or optionals
};
constexpr Row kRows[] = {
    {"ConcatFromSequence", concat},
    {"Identity", identity, false},
    {"If", resolve_if, false},
    {"Loop", resolve_loop, false},
    {"Optional", optional},
    {"OptionalGetElement", get_element},
    {"OptionalHasElement", has_element},
    {"SequenceAt", at},
    {"SequenceConstruct", construct},
    {"SequenceEmpty", empty},
    {"SequenceErase", erase},
    {"SequenceInsert", insert},
    {"SequenceLength", length},
    {"SequenceMap", resolve_map},
    {"SplitToSequence", split_to_sequence},
};

const Row* find_row(std::string_view op) {
  const auto it = std::ranges::find(kRows, op, &Row::op);
  return it == std::end(kRows) ? nullptr : it;
}

bool mentions_sequences(const onnx::GraphProto& graph) {
  return std::ranges::any_of(graph.node(), [](const auto& node) {
    return is_sequence_operator(node.op_type()) ||
           std::ranges::any_of(node.attribute(), [](const auto& a) { return a.has_g() && mentions_sequences(a.g()); });
  });
}

}  // namespace

bool is_sequence_operator(const std::string& op) {
  const Row* row = find_row(op);
  return row && row->always;
}

bool resolves_sequences(const onnx::NodeProto& node, bool reads_them) {
  const Row* row = find_row(node.op_type());
  if (!row) return false;
  if (row->resolve != resolve_if) return row->always || reads_them;
  return std::ranges::any_of(node.attribute(), [](const auto& a) { return a.has_g() && mentions_sequences(a.g()); });
}

Status resolve_sequences(const onnx::NodeProto& node, SequenceHost& host) {
  SequenceNode view(node, host);
  return find_row(node.op_type())->resolve(view);
}

}  // namespace lapis::onnx_frontend
