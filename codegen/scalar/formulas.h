// Formulas of elementary functions, written into a program. Private to codegen/scalar.
#pragma once

#include <cmath>
#include <span>

#include "codegen/scalar/program.h"

namespace lapis::scalar {

// Arithmetic on one floating point type, Float32 or Float64, in the notation of formulas.
// Values are ids of the program.
class Formulas {
 public:
  explicit Formulas(Program& program) : p_(program) {}

  // ---- functions of one type ----
  int exp(int x) const { return exp(x, 0); }
  int expm1(int x) const;
  int log(int x) const;
  int log1p(int x) const;
  int sigmoid(int x) const;
  int tanh(int x) const;
  int erf(int x) const;         // of floats
  int normal_cdf(int x) const;  // of floats
  // ---- of doubles; a float among them is a double rounded once ----
  int sinh(int x) const;
  int cosh(int x) const;
  int asinh(int x) const;
  int acosh(int x) const;
  int atanh(int x) const;
  int atan(int x) const;
  int asin(int x) const;
  int acos(int x) const;
  // |x|^y by logarithm, sign and special cases as IEEE 754 and C say. `precise`: to the last place of double.
  int pow(int x, int y, bool precise) const;

 private:
  DType type(int x) const { return p_[x].type; }
  bool is_double(int x) const { return type(x) == DType::Float64; }
  int op(Op op, Args o) const { return p_.add(op, type(o.x), o); }
  int truth(Op op, Args o) const { return p_.add(op, DType::Bool, o); }
  int k(int like, double value) const {
    return p_.constant(type(like), is_double(like) ? value : static_cast<double>(static_cast<float>(value)));
  }

  int add(Args o) const { return op(Op::Add, o); }
  int plus(int x, double y) const { return add({x, k(x, y)}); }
  int sub(Args o) const { return op(Op::Sub, o); }
  int from(double x, int y) const { return sub({k(y, x), y}); }
  int mul(Args o) const { return op(Op::Mul, o); }
  int times(int x, double y) const { return mul({x, k(x, y)}); }
  int div(Args o) const { return op(Op::Div, o); }
  int over(double x, int y) const { return div({k(y, x), y}); }
  int fma(Args o) const { return op(Op::MultiplyAdd, o); }
  int times_plus(int x, double y, int z) const { return fma({x, k(x, y), z}); }
  int sqrt(int x) const { return op(Op::Sqrt, {x}); }
  int abs(int x) const { return op(Op::Abs, {x}); }
  int neg(int x) const { return op(Op::Neg, {x}); }
  int at_least(int x, double low) const { return op(Op::AtLeast, {x, k(x, low)}); }
  int at_most(int x, double high) const { return op(Op::AtMost, {x, k(x, high)}); }
  int floor(int x) const { return op(Op::Floor, {x}); }
  int less(Args o) const { return truth(Op::Less, o); }
  int below(int x, double y) const { return less({x, k(x, y)}); }
  int above(int x, double y) const { return less({k(x, y), x}); }
  int equal(Args o) const { return truth(Op::Equal, o); }
  int equals(int x, double y) const { return equal({x, k(x, y)}); }
  int both(Args o) const { return truth(Op::And, o); }
  int either(Args o) const { return truth(Op::Or, o); }
  int negated(int condition) const { return truth(Op::Not, {condition}); }
  int select(Args o) const { return p_.add(Op::Select, type(o.y), o); }                        // condition, yes, no
  int limit(int x, double low, double high) const { return at_most(at_least(x, low), high); }  // NaN stays NaN
  int polynomial(int x, std::span<const double> c) const;                                      // c[0] + c[1] x + ...

  // ---- bits ----
  int mantissa_bits(int x) const { return is_double(x) ? 52 : 23; }
  int bias(int x) const { return is_double(x) ? 1023 : 127; }
  DType word(int x) const { return is_double(x) ? DType::Int64 : DType::Int32; }
  int bits(int x) const { return p_.add(Op::Bits, word(x), {x}); }
  int from_bits(int i, int like) const { return p_.add(Op::Bits, type(like), {i}); }
  int pattern(int like, uint64_t bits) const { return p_.constant(word(like), static_cast<int64_t>(bits)); }
  int pattern_of(int like, double value) const;
  int integer(int like, int64_t value) const { return p_.constant(type(like), value); }
  int shifted(Op op, int i, int by) const { return p_.add({op, type(i), {i, -1, -1}, -1, by}); }
  int sign_of(int magnitude, int sign) const;

  struct Whole {
    int real, integer;
  };
  Whole nearest(int x) const;
  int power_of_two(int n, int like) const;
  int scaled(int x, int n) const;

  // x = n ln(2) + rest + lost
  struct Exponent {
    int n, rest, lost;
  };
  Exponent reduce_exponent(int x) const;
  double lowest_exponent(int x) const { return is_double(x) ? -746 : -104; }
  int limit_exponent(int x) const { return limit(x, lowest_exponent(x), is_double(x) ? 711 : 89); }
  int small_expm1(int r) const;
  int exp(int x, int power) const;
  int exp_limited(int x, int power = 0) const;
  int exp_near(int x) const;
  int exp_of_sum(int x, int tail) const;

  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)); subnormal x are scaled up first.
  struct Parts {
    int mantissa, exponent;
  };
  Parts split(int x) const;
  int log_float(const Parts& p) const;
  int log_double(const Parts& p) const;

  // A number as a sum of two.
  struct Sum {
    int high, low;
  };
  Sum product(int x, int y) const;
  Sum added(int large, int small) const;
  Sum log_sum(int x) const;
  int log_of_magnitude(int x, int regular) const;
  int precise_magnitude(int x, int y) const;

  Program& p_;
};

}  // namespace lapis::scalar
