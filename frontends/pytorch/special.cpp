// Functions of mathematics that consist of others.
#include <numbers>
#include <span>

#include "frontends/pytorch/formulas.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

// What a formula makes of self as real numbers.
template <Value* (*Of)(Formula&, Value*)> Status of_real(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, f, Of(f, x));
}

// The same of self and another number.
template <Value* (*Of)(Formula&, Value*, Value*)> Status of_reals(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, real_pair(t, a));
  return finish(t, f, Of(f, p.a, p.b));
}

Value* is_zero(Formula& f, Value* x) { return f.op(ops::Equal, {x, f.number(0, x->dtype())}); }

// ---- powers and logarithms ------------------------------------------------------------------------------------------

Value* exp_less_one(Formula& f, Value* x) {
  const DType type = x->dtype();
  Value *one = f.number(1, type), *power = f.op(ops::Exp, {x}), *less = f.sub({power, one});
  Value* exact = f.where({f.op(ops::Equal, {power, one}), x, f.div({f.mul({less, x}), f.op(ops::Log, {power})})});
  return f.where({f.greater({f.number(0.5, type), f.op(ops::Abs, {x})}), exact, less});
}

// log(x / (1 - x)), of x no closer to 0 and 1 than `eps`.
Status logit(Translation& t) {
  Args a(t);
  Formula f(t);
  const double eps = a.number("eps", -1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  const DType type = x->dtype();
  Value* one = f.number(1, type);
  if (eps >= 0) x = f.op(ops::Clip, {x, f.number(eps, type), f.sub({one, f.number(eps, type)})});
  return finish(t, f, f.op(ops::Log, {f.div({x, f.sub({one, x})})}));
}

// 0 where x is, whatever the logarithm is; no number stays none.
Value* times_logarithm(Formula& f, Value* x, Value* y, Value* logarithm) {
  Value* is_nothing = f.both({is_zero(f, x), f.opposite(f.op(ops::IsNaN, {y}))});
  return f.where({is_nothing, f.number(0, x->dtype()), f.mul({x, logarithm})});
}
Value* xlogy(Formula& f, Value* x, Value* y) { return times_logarithm(f, x, y, f.op(ops::Log, {y})); }
Value* xlog1py(Formula& f, Value* x, Value* y) { return times_logarithm(f, x, y, log_of_one_more(f, y)); }

// -x log(x); 0 of 0, and nothing lower below.
Value* entropy(Formula& f, Value* x) {
  Value* inside = f.op(ops::Neg, {xlogy(f, x, x)});
  return f.where({f.greater({f.number(0, x->dtype()), x}), f.number(-kInfinity, x->dtype()), inside});
}

// log2(2^a + 2^b)
Value* log2_of_sum(Formula& f, Value* x, Value* y) {
  const auto scaled = [&](Value* v, double by) { return f.mul({v, f.number(by, v->dtype())}); };
  const auto excess = [&](Value* distance) {
    Value* power = f.op(ops::Pow, {f.number(2, x->dtype()), distance});
    return scaled(log_of_one_more(f, power), std::numbers::log2e);
  };
  return larger_with_excess(f, x, y, excess, 1);
}

// Of double precision, whatever the operands have.
Status float_power(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, a.number_or_tensor("self", DType::Float64));
  LAPIS_TRY(Value * exponent, a.number_or_tensor("exponent", DType::Float64));
  LAPIS_CHECK(a.status());
  return finish(t, f, f.op(ops::Pow, {f.cast(x, DType::Float64), f.cast(exponent, DType::Float64)}));
}

// self 2^other
Value* times_power_of_two(Formula& f, Value* x, Value* y) {
  return f.mul({x, f.op(ops::Pow, {f.number(2, x->dtype()), y})});
}

// ---- angles ---------------------------------------------------------------------------------------------------------

// sin(pi x) / (pi x)
Value* sinc(Formula& f, Value* x) {
  Value* angle = f.mul({x, f.number(std::numbers::pi, x->dtype())});
  return f.where({is_zero(f, x), f.number(1, x->dtype()), f.div({f.op(ops::Sin, {angle}), angle})});
}

Value* radians(Formula& f, Value* x) { return f.mul({x, f.number(std::numbers::pi / 180, x->dtype())}); }
Value* degrees(Formula& f, Value* x) { return f.mul({x, f.number(180 / std::numbers::pi, x->dtype())}); }

// Of a real number: that of the axis to its side.
Value* angle(Formula& f, Value* x) {
  Value* zero = f.number(0, x->dtype());
  Value* side = f.where({f.greater({zero, x}), f.number(std::numbers::pi, x->dtype()), zero});
  return f.where({f.op(ops::IsNaN, {x}), x, side});
}

// ---- error functions ------------------------------------------------------------------------------------------------

Value* polynomial(Formula& f, Value* x, std::span<const double> factors) {
  Value* sum = f.number(factors[0]);
  for (const double factor : factors.subspan(1)) sum = f.add({f.mul({sum, x}), f.number(factor)});
  return sum;
}

// Of x from 0 on erfc(x) = e^(-x^2) u q(u), u = 1 / (1 + x / 2), where q is a polynomial: 1 - erf(x) has no digits left
// in the tail. The power is that of a short number, whose square is exact, and of the little that it leaves over.
Value* erfc_of_positive(Formula& f, Value* x) {
  constexpr double kFactors[] = {0.0148856998, -0.136010195, 0.455506125, -0.700695911, 0.442686628,
                                 -0.107578565, 0.227979091,  0.23827959,  0.282883616,  0.282063911};
  constexpr double kShort = 16;  // of so many parts of 1
  Value* u = f.op(ops::Reciprocal, {f.add({f.half(x), f.number(1)})});
  Value* sum = polynomial(f, u, kFactors);
  Value* near = f.div({f.op(ops::Round, {f.mul({x, f.number(kShort)})}), f.number(kShort)});
  Value* rest = f.mul({f.sub({near, x}), f.add({near, x})});
  Value* power = f.mul({f.op(ops::Exp, {f.op(ops::Neg, {f.mul({near, near})})}), f.op(ops::Exp, {rest})});
  return f.mul({power, f.mul({u, sum})});
}

Value* erfc(Formula& f, Value* x) {
  const DType type = x->dtype();
  Value* plain = f.sub({f.number(1, type), f.op(ops::Erf, {x})});
  if (type != DType::Float32) return plain;
  constexpr double kEnd = 11;  // erfc is 0 beyond
  Value* tail = erfc_of_positive(f, f.op(ops::Clip, {x, f.number(0), f.number(kEnd)}));
  return f.where({f.greater({x, f.number(0.5)}), tail, plain});
}

// The share of a normal distribution that lies below x.
Value* normal_share(Formula& f, Value* x) {
  const DType type = x->dtype();
  Value* below = erfc(f, f.mul({x, f.number(-std::numbers::sqrt2 / 2, type)}));
  return f.mul({below, f.number(0.5, type)});
}

// Of float32: polynomials of w = -log(1 - x^2) in its middle and of its root in its tails (Giles, "Approximating the
// erfinv function", 2012).
Value* inverse_erf(Formula& f, Value* x) {
  constexpr double kMiddle = 5;
  constexpr double kInMiddle[] = {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                                  -0.00125372503, -0.00417768164, 0.246640727,    1.50140941};
  constexpr double kInTails[] = {-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                                 -0.0076224613,   0.00943887047,  1.00167406,    2.83297682};
  Value *one = f.number(1), *size = f.op(ops::Abs, {x});
  Value* w = f.op(ops::Neg, {f.op(ops::Log, {f.mul({f.sub({one, size}), f.add({one, size})})})});
  Value* middle = polynomial(f, f.sub({w, f.number(2.5)}), kInMiddle);
  Value* tail = polynomial(f, f.sub({f.op(ops::Sqrt, {w}), f.number(3)}), kInTails);
  Value* slope = f.where({f.greater({f.number(kMiddle), w}), middle, tail});
  return f.mul({x, f.where({f.op(ops::Equal, {size, one}), f.number(kInfinity), slope})});
}

Status erfinv(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  if (x->dtype() == DType::Float64) return Translation::unsupported("float64, of whose digits the formula has half");
  Value* y = inverse_erf(f, f.cast(x, DType::Float32));
  return finish(t, f, f.cast(y, x->dtype()));
}

// ---- comparisons ----------------------------------------------------------------------------------------------------

template <bool Positive> Value* is_infinite(Formula& f, Value* x) {
  return f.op(ops::IsInf, {x}, ops::IsInfAttrs{.detect_negative = !Positive, .detect_positive = Positive});
}

// 0 below 0, 1 above, and `values` there. What is no number lies below.
Status heaviside(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a, "self", "values"));
  Value* side = f.cast(f.greater({p.a, f.number(0, p.a->dtype())}), p.a->dtype());
  return finish(t, f, f.where({is_zero(f, p.a), p.b, side}));
}

// |self - other| <= atol + |rtol other|; infinite ones that are equal, and where that is asked for what is no number.
Status isclose(Translation& t) {
  Args a(t);
  Formula f(t);
  const double relative = a.number("rtol", 1e-5), absolute = a.number("atol", 1e-8);
  const bool equals_nan = a.flag("equal_nan", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const Pair p, pair(t, a));
  LAPIS_TRY(Value * x, as_real(t, p.a));
  LAPIS_TRY(Value * y, as_real(t, p.b));
  const DType type = y->dtype();
  Value* is_same = f.op(ops::Equal, {p.a, p.b});
  if (equals_nan) is_same = f.op(ops::Or, {is_same, f.both({f.op(ops::IsNaN, {x}), f.op(ops::IsNaN, {y})})});
  if (relative == 0 && absolute == 0) return finish(t, f, is_same);
  Value* distance = f.op(ops::Abs, {f.sub({x, y})});
  Value* allowed = f.add({f.number(absolute, type), f.op(ops::Abs, {f.mul({f.number(relative, type), y})})});
  Value* is_near =
      f.both({f.op(ops::LessOrEqual, {distance, allowed}), f.greater({f.number(kInfinity, type), distance})});
  return finish(t, f, f.op(ops::Or, {is_same, is_near}));
}

constexpr AtenRow kRows[] = {
    {"aten.angle", "self", of_real<angle>},
    {"aten.deg2rad", "self", of_real<radians>},
    {"aten.erfc", "self", of_real<erfc>},
    {"aten.erfinv", "self", erfinv},
    {"aten.expm1", "self", of_real<exp_less_one>},
    {"aten.float_power", "self exponent", float_power},
    {"aten.heaviside", "self values", heaviside},
    {"aten.isclose", "self other rtol atol equal_nan", isclose},
    {"aten.isneginf", "self", of_real<is_infinite<false>>},
    {"aten.isposinf", "self", of_real<is_infinite<true>>},
    {"aten.ldexp", "self other", of_reals<times_power_of_two>},
    {"aten.log1p", "self", of_real<log_of_one_more>},
    {"aten.logaddexp", "self other", of_reals<log_of_sum>},
    {"aten.logaddexp2", "self other", of_reals<log2_of_sum>},
    {"aten.logit", "self eps", logit},
    {"aten.rad2deg", "self", of_real<degrees>},
    {"aten.sinc", "self", of_real<sinc>},
    {"aten.special_entr", "self", of_real<entropy>},
    {"aten.special_ndtr", "self", of_real<normal_share>},
    {"aten.special_xlog1py", "self other", of_reals<xlog1py>},
    {"aten.xlogy", "self other", of_reals<xlogy>},
};

}  // namespace

std::span<const AtenRow> special_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
