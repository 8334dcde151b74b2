// Formulas as they are read: every step adds a node, what goes wrong first is kept,
// and what follows from it does nothing.
//
//   Formula f(t);
//   Value* width = f.sub(x2, x1);
//   Value* area = f.mul(f.max(width, f.number(0)), height);
//   LAPIS_CHECK(f.status());
#pragma once

#include "frontends/common/build.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::frontend {

class Formula {
 public:
  explicit Formula(Translation& t) : t_(t) {}
  // Nodes of a subgraph; constants are those of the graph around.
  Formula(Translation& t, Graph& body) : t_(t), body_(&body) {}

  Value* fail(Diagnostics found);  // null
  Status status() const { return found_.empty() ? ok() : Status(found_); }

  Value* op(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {});
  std::vector<Value*> ops(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, size_t outputs);
  template <class Attrs> Value* op(const OpDef& def, std::vector<Value*> inputs, const Attrs& attributes) {
    return op(def, std::move(inputs), encode_attributes(attributes));
  }

  Value* number(double value, DType dtype = DType::Float32) { return scalar(t_, value, dtype); }
  Value* integers(std::vector<int64_t> values) { return ints(t_, std::move(values)); }
  Value* floats(Shape shape, const std::vector<float>& values);

  Value* add(Value* a, Value* b) { return op(ops::Add, {a, b}); }
  Value* sub(Value* a, Value* b) { return op(ops::Sub, {a, b}); }
  Value* mul(Value* a, Value* b) { return op(ops::Mul, {a, b}); }
  Value* div(Value* a, Value* b) { return op(ops::Div, {a, b}); }
  Value* max(Value* a, Value* b) { return op(ops::Max, {a, b}); }
  Value* min(Value* a, Value* b) { return op(ops::Min, {a, b}); }
  Value* both(Value* a, Value* b) { return op(ops::And, {a, b}); }
  Value* opposite(Value* a) { return op(ops::Not, {a}); }
  Value* greater(Value* a, Value* b) { return op(ops::Greater, {a, b}); }
  Value* where(Value* condition, Value* yes, Value* no) { return op(ops::Where, {condition, yes, no}); }
  Value* half(Value* a) { return mul(a, number(0.5)); }
  Value* cast(Value* x, DType to) { return op(ops::Cast, {x}, ops::CastAttrs{.to = static_cast<int64_t>(to)}); }
  Value* gather(Value* x, Value* index, int64_t axis) { return op(ops::Gather, {x, index}, ops::AxisAttrs{axis}); }
  Value* concat(std::vector<Value*> parts, int64_t axis);
  Value* reshape(Value* x, std::vector<int64_t> shape) { return op(ops::Reshape, {x, integers(std::move(shape))}); }
  Value* unsqueeze(Value* x, std::vector<int64_t> axes) { return op(ops::Unsqueeze, {x, integers(std::move(axes))}); }
  Value* squeeze(Value* x, int64_t axis) { return op(ops::Squeeze, {x, integers({axis})}); }
  Value* slice(Value* x, int64_t axis, int64_t begin, int64_t end);
  Value* size(Value* x, int64_t axis);  // int64[1]
  Value* range(Value* count);           // int64[count], of an int64[1]

 private:
  Translation& t_;
  Graph* body_ = nullptr;
  Diagnostics found_;
};

}  // namespace lapis::frontend
