#include "frontends/onnx/sequence_node.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "frontends/onnx/nodes.h"

namespace lapis::onnx_frontend {

namespace {

// Whether nothing is known that speaks against two shapes being one.
// Different names may stand for the same number, but nobody says so.
bool may_be_one(const std::optional<Dims>& a, const std::optional<Dims>& b) {
  if (!a || !b) return true;
  return std::ranges::equal(*a, *b,
                            [](const Dim& x, const Dim& y) { return !x.is_known() || !y.is_known() || x == y; });
}

// The first one of another shape than the first element.
const Type* differing(const std::vector<Value*>& elements) {
  for (const Value* v : elements)
    if (!may_be_one(elements[0]->type().dims, v->type().dims)) return &v->type();
  return nullptr;
}

}  // namespace

Diagnostic unresolved(std::string reason, std::string advice) {
  return error(ErrorKind::Unsupported, std::move(reason)).help(std::move(advice));
}

Item list_of(DType dtype, std::vector<Value*> elements) {
  return {.type = Type::sequence(Type::tensor(dtype)), .kind = Item::Kind::List, .elements = std::move(elements)};
}

bool is_row_of(const Type& stack, const Type& element) {
  if (!stack.ranked()) return true;
  return may_be_one(element.dims, Dims(stack.dims->begin() + 1, stack.dims->end()));
}

std::optional<int64_t> length_of(const Item& sequence) {
  if (sequence.kind == Item::Kind::List) return static_cast<int64_t>(sequence.elements.size());
  const Type& type = sequence.tensor->type();
  return type.ranked() ? type.dim(0).constant() : std::nullopt;
}

bool SequenceNode::has(int i) const { return i < node_.input_size() && !node_.input(i).empty(); }

Item SequenceNode::input(int i) const { return host_.item_of(node_.input(i)); }

Result<Item> SequenceNode::sequence(int i) const {
  Item item = input(i);
  const bool is_value = item.kind == Item::Kind::Tensor && item.tensor && !item.tensor->type().is_tensor();
  if (is_value)
    return unresolved("'" + node_.input(i) + "' is a sequence or an optional that the model gets as an input",
                      "make its elements inputs of the model, and put them together by SequenceConstruct");
  return item;
}

Result<std::optional<int64_t>> SequenceNode::position(int i) const {
  const Tensor* known = host_.known(node_.input(i));
  if (!known) return std::optional<int64_t>();
  if (known->size() != 1)
    return error(ErrorKind::Input, "the position must be one number, not " + to_string(known->shape()));
  return std::optional(known->as_int(0));
}

int64_t SequenceNode::integer(const std::string& attribute, int64_t otherwise) const {
  return int_or(node_, attribute, otherwise);
}

onnx::NodeProto SequenceNode::made(const std::string& op, const std::vector<std::string>& inputs,
                                   const Integers& attributes) const {
  onnx::NodeProto node;
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  for (const auto& [name, value] : attributes) set_int(node, name, value);
  return node;
}

std::string SequenceNode::fresh() {
  const std::string& stem = node_.output_size() > 0 ? node_.output(0) : node_.op_type();
  return host_.fresh_name(stem + "_" + std::to_string(made_++));
}

std::string SequenceNode::apply(const std::string& op, const std::vector<std::string>& inputs,
                                const Integers& attributes) {
  return apply_all(made(op, inputs, attributes), 1)[0];
}

std::vector<std::string> SequenceNode::apply_all(const onnx::NodeProto& prepared, size_t outputs) {
  onnx::NodeProto node = prepared;
  for (size_t i = 0; i < outputs; ++i) node.add_output(fresh());
  std::vector<std::string> names(node.output().begin(), node.output().end());
  host_.add_before(std::move(node));
  return names;
}

Status SequenceNode::finish(const std::string& op, const std::vector<std::string>& inputs, const Integers& attributes) {
  onnx::NodeProto node = made(op, inputs, attributes);
  node.set_name(node_.name());
  node.add_output(node_.output(0));
  host_.emit(std::move(node));
  return ok();
}

Status SequenceNode::finish(Item result) {
  LAPIS_CHECK(host_.afford(result.elements.size(), kHeldElement));
  host_.define(node_.output(0), std::move(result));
  return ok();
}

std::string SequenceNode::ints(std::vector<int64_t> values) {
  return host_.add_constant(Tensor::vector(std::move(values)), fresh());
}

std::vector<std::string> SequenceNode::split(const std::string& value, const std::string& sizes, size_t count,
                                             int64_t axis) {
  return apply_all(made("Split", {value, sizes}, {{"axis", axis}}), count);
}

std::string SequenceNode::transposed(const std::string& value, const std::vector<int64_t>& perm) {
  if (std::ranges::is_sorted(perm)) return value;
  onnx::NodeProto node = made("Transpose", {value}, {});
  set_ints(node, "perm", perm);
  return apply_all(node, 1)[0];
}

std::string SequenceNode::scalar(const std::string& value) {
  const Type* type = host_.type_of(value);
  if (type && type->ranked() && type->rank() == 0) return value;
  return apply("Reshape", {value, ints({})});
}

std::string SequenceNode::merged_shape(const std::string& value, int64_t axis) {
  const auto extents = [&](int64_t from, int64_t to) {
    return apply("Shape", {value}, {{"start", from}, {"end", to}});
  };
  std::vector<std::string> parts;
  if (axis > 0) parts.push_back(extents(0, axis));
  parts.push_back(apply("Mul", {extents(axis, axis + 1), extents(axis + 1, axis + 2)}));
  parts.push_back(apply("Shape", {value}, {{"start", axis + 2}}));
  return apply("Concat", parts, {{"axis", 0}});
}

std::string SequenceNode::interleaved(const std::vector<std::string>& values) {
  std::vector<std::string> columns;
  columns.reserve(values.size());
  for (const std::string& v : values) columns.push_back(apply("Unsqueeze", {v, ints({1})}));
  const std::string rows = apply("Concat", columns, {{"axis", 1}});
  return apply("Reshape", {rows, merged_shape(rows, 0)}, {{"allowzero", 1}});
}

Result<std::optional<std::vector<Value*>>> SequenceNode::elements(const Item& sequence) {
  using Elements = std::optional<std::vector<Value*>>;
  if (sequence.kind == Item::Kind::List) return Elements(sequence.elements);
  const std::optional<int64_t> count = length_of(sequence);
  if (!count || *count == 0) return count ? Elements(std::in_place) : Elements();
  LAPIS_CHECK(host_.afford(static_cast<size_t>(*count), kMadeElement));
  const auto n = static_cast<size_t>(*count);
  std::vector<Value*> elements;
  for (const std::string& row : split(name(sequence.tensor), ints(std::vector<int64_t>(n, 1)), n, 0))
    elements.push_back(value(apply("Squeeze", {row, ints({0})})));
  return Elements(std::move(elements));
}

Result<std::string> SequenceNode::stacked(const Item& sequence, const std::string& why) {
  if (sequence.tensor) return name(sequence.tensor);
  const std::vector<Value*>& elements = sequence.elements;
  LAPIS_ASSERT(!elements.empty(), "a sequence without elements has no shape");
  if (const Type* other = differing(elements))
    return unresolved(
        why + ", and the elements differ in shape: " + elements[0]->type().to_string() + " and " + other->to_string(),
        std::string("give all elements one shape, by Pad for example; ") + kBindSizes);
  LAPIS_CHECK(host_.afford(elements.size(), kMadeElement));
  std::vector<std::string> rows;
  rows.reserve(elements.size());
  for (Value* v : elements) rows.push_back(apply("Unsqueeze", {name(v), ints({0})}));
  return rows.size() == 1 ? rows[0] : apply("Concat", rows, {{"axis", 0}});
}

}  // namespace lapis::onnx_frontend
