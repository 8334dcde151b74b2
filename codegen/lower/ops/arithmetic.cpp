// Arithmetic on numbers.
#include <cmath>
#include <limits>

#include "codegen/lower/ops/families.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A bound that is NaN, or that nothing exceeds, does not bind.
bool binds(const Scalar& s, size_t i, double extreme) {
  const auto bound = scalar_constant(s.node.input(i));
  return s.has(i) && !(bound && (std::isnan(bound->as_double()) || bound->as_double() == extreme));
}
int clip(Scalar& s) {
  int x = s.in(0);
  if (binds(s, 1, -kInfinity)) x = s.op(Op::AtLeast, {x, s.in(1)});
  if (binds(s, 2, kInfinity)) x = s.op(Op::AtMost, {x, s.in(2)});
  return x;
}

// The type that both operands fit, so that nothing is lost before the power is taken.
DType power_type(DType base, DType exponent, const std::optional<Immediate>& constant) {
  if (is_integer(base) && is_integer(exponent)) {
    if (exponent == DType::UInt64) return exponent;
    return exponent == DType::Int64 || exponent == DType::UInt32 ? DType::Int64 : base;
  }
  if (is_integer(base) || base == DType::Float64) return DType::Float64;
  if (constant && static_cast<double>(static_cast<float>(constant->as_double())) == constant->as_double())
    return DType::Float32;
  return exponent == DType::Float64 || (is_integer(exponent) && bit_width(exponent) > 16) ? DType::Float64
                                                                                          : DType::Float32;
}

// The square root, but of -0 it is +0 and of -infinity it is infinity.
int half_power(Scalar& s, int x) {
  const int root = s.op(Op::Sqrt, {s.add({x, s.k(0)})});
  return s.select({s.as(DType::Bool, Op::Equal, {x, s.k(-INFINITY)}), s.k(INFINITY), root});
}

int power(Scalar& s) {
  const int x = s.in(0);
  const Value* exponent = s.node.input(1);
  const std::optional<Immediate> constant = scalar_constant(exponent);
  const double value = constant ? constant->as_double() : NAN;
  // An integer to the power of a real number is a real number, which saturates instead of wrapping.
  const bool same_kind = is_float(s.type()) || is_integer(exponent->dtype());
  if (same_kind && value == 2) return s.mul({x, x});
  if (same_kind && value == 1) return x;
  if (is_float(s.type()) && value == 0.5) return half_power(s, x);
  const DType type = power_type(s.type(), Scalar::arithmetic(exponent->dtype()), constant);
  return s.to(s.type(), s.as(type, Op::Pow, {s.to(type, x), s.to(type, s.in(1))}));
}

int modulo(Scalar& s) { return s.op(s.attrs<ops::ModAttrs>().fmod ? Op::FMod : Op::Mod, {s.in(0), s.in(1)}); }

int mean(Scalar& s) {
  const int sum = variadic<Op::Add>(s);
  return s.op(Op::Div, {sum, s.k(static_cast<double>(s.node.inputs().size()))});
}

}  // namespace

OpLowerings arithmetic_rows() {
  return {
      code_for(ops::Add).scalar(binary<Op::Add>),
      code_for(ops::Sub).scalar(binary<Op::Sub>),
      code_for(ops::Mul).scalar(binary<Op::Mul>),
      code_for(ops::Div).scalar(binary<Op::Div>),
      code_for(ops::Pow).scalar(power),
      code_for(ops::Mod).scalar(modulo),
      code_for(ops::Min).scalar(variadic<Op::Min>),
      code_for(ops::Max).scalar(variadic<Op::Max>),
      code_for(ops::Sum).scalar(variadic<Op::Add>),
      code_for(ops::Mean).scalar(mean),
      code_for(ops::Clip).scalar(clip),
      code_for(ops::Neg).scalar(unary<Op::Neg>),
      code_for(ops::Abs).scalar(unary<Op::Abs>),
      code_for(ops::Sign).scalar(unary<Op::Sign>),
      code_for(ops::Floor).scalar(unary<Op::Floor>),
      code_for(ops::Ceil).scalar(unary<Op::Ceil>),
      code_for(ops::Round).scalar(unary<Op::RoundEven>),
      code_for(ops::Sqrt).scalar(unary<Op::Sqrt>),
      code_for(ops::Reciprocal).scalar(unary<Op::Reciprocal>),
  };
}

}  // namespace lapis::codegen
