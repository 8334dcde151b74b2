// Functions of elements that consist of others.
#include <limits>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Status finish(Translation& t, const Formula& f, Value* y) {
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

Status isfinite(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, f, f.greater(f.number(kInfinity, x->dtype()), f.op(ops::Abs, {x})));
}

// What is behind the point, with the sign of the whole.
Status frac(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  Value* is_positive = f.greater(x, f.number(0, x->dtype()));
  return finish(t, f, f.sub(x, f.where(is_positive, f.op(ops::Floor, {x}), f.op(ops::Ceil, {x}))));
}

// log(e^a + e^b): of the larger one, so that nothing overflows. Infinities that are equal have no difference.
Status logaddexp(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Pair p, pair(t, a));
  LAPIS_TRY(p.a, as_real(t, p.a));
  LAPIS_TRY(p.b, as_real(t, p.b));
  const DType type = p.a->dtype();
  Value* distance = f.op(ops::Abs, {f.sub(p.a, p.b)});
  Value* over = f.op(ops::Log, {f.add(f.op(ops::Exp, {f.op(ops::Neg, {distance})}), f.number(1, type))});
  Value* larger = f.max(p.a, p.b);
  Value* excess = f.where(f.op(ops::Equal, {p.a, p.b}), f.number(0.6931471805599453, type), over);
  return finish(t, f, f.add(larger, excess));
}

Status nan_to_num(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  if (!is_float(x->dtype())) return pytorch_frontend::finish(t, t.add(ops::Identity, {x}));
  if (x->dtype() != DType::Float32) return Translation::unsupported("a type with other largest numbers than float32");
  constexpr double kLargest = std::numeric_limits<float>::max();
  const double nan = a.number("nan", 0), above = a.number("posinf", kLargest), below = a.number("neginf", -kLargest);
  LAPIS_CHECK(a.status());
  Value* y = f.where(f.op(ops::IsNaN, {x}), f.number(nan), x);
  y = f.where(f.op(ops::Equal, {x, f.number(kInfinity)}), f.number(above), y);
  return finish(t, f, f.where(f.op(ops::Equal, {x, f.number(-kInfinity)}), f.number(below), y));
}

Status outer(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a, "self", "vec2"));
  return finish(t, f, f.mul(f.unsqueeze(p.a, {1}), f.unsqueeze(p.b, {0})));
}

constexpr AtenRow kRows[] = {
    {"aten.frac", "self", frac},
    {"aten.isfinite", "self", isfinite},
    {"aten.logaddexp", "self other", logaddexp},
    {"aten.nan_to_num", "self nan posinf neginf", nan_to_num},
    {"aten.outer", "self vec2", outer},
};

}  // namespace

std::span<const AtenRow> derived_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
