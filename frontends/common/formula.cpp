#include "frontends/common/formula.h"

#include "ir/infer.h"

namespace lapis::frontend {

Value* Formula::fail(Diagnostics found) {
  if (found_.empty()) found_ = std::move(found);
  return nullptr;
}

std::vector<Value*> Formula::ops(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, size_t outputs) {
  std::vector<Value*> nothing(outputs);
  if (!found_.empty()) return nothing;
  if (!body_) {
    auto added = t_.add_all(op, std::move(inputs), std::move(attributes), outputs);
    if (added.ok()) return *std::move(added);
    fail(std::move(added).diagnostics());
    return nothing;
  }
  Node* node = body_->add_node(op, std::move(inputs), std::move(attributes), std::vector<std::string>(outputs));
  Status typed = infer_types(*node);
  if (typed.ok()) return node->outputs();
  fail(std::move(typed).diagnostics());
  return nothing;
}

Value* Formula::op(const OpDef& op, std::vector<Value*> inputs, Attributes attributes) {
  return ops(op, std::move(inputs), std::move(attributes), 1)[0];
}

Value* Formula::floats(Shape shape, const std::vector<float>& values) {
  return t_.constant(Tensor::of<float>(std::move(shape), values));
}

Value* Formula::concat(std::vector<Value*> parts, int64_t axis) {
  return op(ops::Concat, std::move(parts), ops::ConcatAttrs{axis});
}

Value* Formula::slice(Value* x, int64_t axis, int64_t begin, int64_t end) {
  return op(ops::Slice, {x, integers({begin}), integers({end}), integers({axis})});
}

Value* Formula::size(Value* x, int64_t axis) {
  return op(ops::ShapeOf, {x}, ops::ShapeAttrs{.end = axis + 1, .start = axis});
}

Value* Formula::range(Value* count) {
  return op(ops::Range, {number(0, DType::Int64), squeeze(count, 0), number(1, DType::Int64)});
}

}  // namespace lapis::frontend
