// Operators that work on each element and are no single operator of ONNX.
#include <cmath>

#include "frontends/mxnet/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::mxnet_frontend {
namespace {

Status filled_like(Translation& t, double value) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  return finish(t, t.add(ops::Expand, {frontend::scalar(t, value, x->dtype()), shape}));
}

}  // namespace

Status apply(Translation& t, const OpDef& op) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(op, {x}));
}

Status combine(Translation& t, const OpDef& op) {
  LAPIS_TRY(Value * a, operand(t, 0));
  LAPIS_TRY(Value * b, operand(t, 1));
  return finish(t, t.add(op, {a, b}));
}

Status add_n(Translation& t) {
  std::vector<Value*> all;
  for (size_t i = 0; i < t.node().inputs.size(); ++i) {
    LAPIS_TRY(all.emplace_back(), operand(t, i));
  }
  return finish(t, t.add(ops::Sum, all));
}

Status cast(Translation& t) {
  Options o(t);
  const std::string name = o.word("dtype", "");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(const DType dtype, type_named(name));
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, frontend::cast(t, x, dtype));
}

Status zeros_like(Translation& t) { return filled_like(t, 0); }
Status ones_like(Translation& t) { return filled_like(t, 1); }

Status logical_not(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, as_numbers(t, frontend::cast(t, x, DType::Bool), Truth::Opposite));
}

Status square(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::Mul, {x, x}));
}

Status rsqrt(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Value * root, t.add(ops::Sqrt, {x}));
  return finish(t, t.add(ops::Reciprocal, {root}));
}

Status truncate(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Value * size, t.add(ops::Abs, {x}));
  LAPIS_TRY(Value * whole, t.add(ops::Floor, {size}));
  LAPIS_TRY(Value * sign, t.add(ops::Sign, {x}));
  return finish(t, t.add(ops::Mul, {whole, sign}));
}

Status log1p(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Value * more, t.add(ops::Add, {x, frontend::scalar(t, 1, x->dtype())}));
  return finish(t, t.add(ops::Log, {more}));
}

Status expm1(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Value * power, t.add(ops::Exp, {x}));
  return finish(t, t.add(ops::Sub, {power, frontend::scalar(t, 1, x->dtype())}));
}

Status where(Translation& t) {
  LAPIS_TRY(Value * condition, operand(t, 0));
  LAPIS_TRY(condition, frontend::cast(t, condition, DType::Bool));
  LAPIS_TRY(Value * a, operand(t, 1));
  LAPIS_TRY(Value * b, operand(t, 2));
  return finish(t, t.add(ops::Where, {condition, a, b}));
}

// Scores of attention: x / sqrt(size of the last axis).
Status div_sqrt_dim(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  if (!x->type().ranked() || x->type().rank() == 0 || !x->type().dim(-1).is_constant())
    return Translation::unsupported("a last axis of open size");
  const double root = std::sqrt(static_cast<double>(x->type().dim(-1).value()));
  return finish(t, t.add(ops::Div, {x, frontend::scalar(t, root, x->dtype())}));
}

}  // namespace lapis::mxnet_frontend
