// Formulas as they are read: every step adds a node, what goes wrong first is kept,
// and what follows from it does nothing.
//
//   Formula f(t);
//   Value* width = f.sub({x2, x1});
//   Value* area = f.mul({f.max({width, f.number(0)}), height});
//   LAPIS_CHECK(f.status());
#pragma once

#include <array>

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

  // In braces operands are made in the order in which they stand, whoever compiles this: so are the nodes.
  using Two = std::array<Value*, 2>;
  using Three = std::array<Value*, 3>;
  Value* add(const Two& of) { return op(ops::Add, {of[0], of[1]}); }
  Value* sub(const Two& of) { return op(ops::Sub, {of[0], of[1]}); }
  Value* mul(const Two& of) { return op(ops::Mul, {of[0], of[1]}); }
  Value* div(const Two& of) { return op(ops::Div, {of[0], of[1]}); }
  Value* max(const Two& of) { return op(ops::Max, {of[0], of[1]}); }
  Value* min(const Two& of) { return op(ops::Min, {of[0], of[1]}); }
  Value* both(const Two& of) { return op(ops::And, {of[0], of[1]}); }
  Value* opposite(Value* a) { return op(ops::Not, {a}); }
  Value* greater(const Two& of) { return op(ops::Greater, {of[0], of[1]}); }
  Value* where(const Three& of) { return op(ops::Where, {of[0], of[1], of[2]}); }  // condition, yes, no
  Value* half(Value* a) { return mul({a, number(0.5)}); }
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
