#include "codegen/scalar/formulas.h"

#include <bit>
#include <numbers>

#include "codegen/scalar/polynomials.h"

namespace lapis::scalar {

int Formulas::polynomial(int x, std::span<const double> c) const {
  int sum = k(x, c.back());
  for (size_t i = c.size() - 1; i-- > 0;) sum = fma({sum, x, k(x, c[i])});
  return sum;
}

// ---- bits of floating point numbers ----

int Formulas::pattern_of(int like, double value) const {
  return pattern(like, is_double(like) ? std::bit_cast<uint64_t>(value)
                                       : static_cast<uint64_t>(std::bit_cast<int32_t>(static_cast<float>(value))));
}

int Formulas::sign_of(int magnitude, int sign) const {
  const uint64_t all_but_sign = is_double(sign) ? ~uint64_t{0} >> 1 : ~uint32_t{0} >> 1;
  const int rest = op(Op::And, {bits(magnitude), pattern(sign, all_but_sign)});
  return from_bits(op(Op::Or, {rest, op(Op::And, {bits(sign), pattern_of(sign, -0.0)})}), magnitude);
}

// The whole number nearest to x as a float and, without a conversion that a NaN could poison, as an integer.
Formulas::Whole Formulas::nearest(int x) const {
  const double magic = is_double(x) ? 0x1.8p52 : 0x1.8p23;
  const int shifted = plus(x, magic);
  return {plus(shifted, -magic), sub({bits(shifted), pattern_of(x, magic)})};
}

int Formulas::power_of_two(int n, int like) const {
  return from_bits(shifted(Op::ShiftLeft, add({n, integer(n, bias(like))}), mantissa_bits(like)), like);
}

// x 2^n in two multiplications, so that results below the normal range are rounded once and large ones overflow.
int Formulas::scaled(int x, int n) const {
  const int half = shifted(Op::ShiftRight, n, 1);
  return mul({mul({x, power_of_two(half, x)}), power_of_two(sub({n, half}), x)});
}

// ---- exp and log ----

Formulas::Exponent Formulas::reduce_exponent(int x) const {
  const bool wide = is_double(x);
  const Whole n = nearest(times(x, std::numbers::log2e));
  const double high = wide ? 0x1.62e42fefa39efp-1 : 0x1.62e4p-1;
  const double low = wide ? 0x1.abc9e3b39803fp-56 : 0x1.7f7d1cf79abcap-20;
  const int exact = times_plus(n.real, -high, x), rest = times_plus(n.real, -low, exact);
  return {n.integer, rest, wide ? times_plus(n.real, -low, sub({exact, rest})) : -1};
}

// exp(r) - 1 for |r| <= ln(2)/2
int Formulas::small_expm1(int r) const {
  return fma({mul({r, r}), is_double(r) ? polynomial(r, kExpDouble) : polynomial(r, kExp), r});
}

// e^x * 2^power, which overflows only where the product does
int Formulas::exp(int x, int power) const { return exp_limited(limit_exponent(x), power); }

// The same for x in the range of limit_exponent.
int Formulas::exp_limited(int x, int power) const {
  const Exponent e = reduce_exponent(x);
  const int mantissa = plus(small_expm1(e.rest), 1);
  return scaled(mantissa, power ? add({e.n, integer(e.n, power)}) : e.n);
}

// The same for x whose power is a normal number.
int Formulas::exp_near(int x) const {
  const Exponent e = reduce_exponent(x);
  return mul({plus(small_expm1(e.rest), 1), power_of_two(e.n, x)});
}

// e^(x + tail) for a tail of a few last places of x; in double, within a little more than half a unit
int Formulas::exp_of_sum(int x, int tail) const {
  const Exponent e = reduce_exponent(limit_exponent(x));
  if (!is_double(x)) return scaled(plus(small_expm1(add({e.rest, tail})), 1), e.n);
  const int small = add({tail, e.lost});
  const int r = add({e.rest, small}), lost = sub({small, sub({r, e.rest})});
  return scaled(plus(add({r, fma({mul({r, r}), polynomial(r, kExpDouble), lost})}), 1), e.n);
}

// e^x - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)): the second sum is exact wherever it matters, and nothing cancels.
int Formulas::expm1(int x) const {
  const Exponent e = reduce_exponent(limit_exponent(x));
  const int n = sub({e.n, integer(e.n, 1)}), whole = plus(scaled(k(x, 1), n), -0.5);
  const int sum = add({scaled(small_expm1(e.rest), n), whole});
  return select({below(abs(x), is_double(x) ? 0x1p-60 : 0x1p-30), x, add({sum, sum})});
}

Formulas::Parts Formulas::split(int x) const {
  const bool wide = is_double(x);
  const int lift = wide ? 54 : 25;
  const int tiny = below(x, wide ? 0x1p-1022 : 0x1p-126);
  const int i = bits(select({tiny, times(x, std::ldexp(1.0, lift)), x}));
  const int root = pattern_of(x, wide ? 0x1.6a09e667f3bcdp-1 : static_cast<double>(0x1.6a09e6p-1f));
  const int e = shifted(Op::ShiftRight, sub({i, root}), mantissa_bits(x));
  const int mantissa = from_bits(sub({i, shifted(Op::ShiftLeft, e, mantissa_bits(x))}), x);
  const int exponent = p_.add(Op::Cast, type(x), {e});
  return {mantissa, select({tiny, plus(exponent, -lift), exponent})};
}

int Formulas::log(int x) const {
  const Parts p = split(x);
  int y = is_double(x) ? log_double(p) : log_float(p);
  y = select({equals(x, 0), k(x, -INFINITY), y});
  y = select({below(x, 0), k(x, NAN), y});
  return select({truth(Op::IsNaN, {x}), x, select({equals(x, INFINITY), x, y})});
}

// log(1 + x) = log(u) + (what 1 + x lost on its way to u) / u
int Formulas::log1p(int x) const {
  const int u = plus(x, 1), lost = sub({x, plus(u, -1)}), logarithm = log(u);
  const int regular = both({above(u, 0), below(u, INFINITY)});
  const int y = select({regular, add({logarithm, div({lost, u})}), logarithm});
  return select({equals(x, 0), x, y});
}

int Formulas::log_float(const Parts& p) const {
  const int f = plus(p.mantissa, -1), square = mul({f, f});
  int tail = mul({mul({square, f}), polynomial(f, kLog)});
  tail = times_plus(p.exponent, -2.12194440e-4, tail);  // ln(2) = 0.693359375 - 2.12194440e-4
  tail = times_plus(square, -0.5, tail);
  return times_plus(p.exponent, 0.693359375, add({f, tail}));
}

int Formulas::log_double(const Parts& p) const {
  const int s = div({plus(p.mantissa, -1), plus(p.mantissa, 1)}), square = mul({s, s});
  int tail = mul({mul({square, s}), polynomial(square, kLogDouble)});
  tail = times_plus(p.exponent, 0x1.abc9e3b39803fp-56, tail);
  return times_plus(p.exponent, 0x1.62e42fefa39efp-1, times_plus(s, 2, tail));
}

// ---- functions built on exp ----

int Formulas::sigmoid(int x) const {
  const int e = exp_limited(at_least(neg(abs(x)), lowest_exponent(x)));
  return div({select({below(x, 0), e, k(x, 1)}), plus(e, 1)});
}

int Formulas::tanh(int x) const {
  if (is_double(x)) {  // sinh / cosh, so that small arguments lose nothing
    const int limited = limit(x, -30, 30);
    return div({sinh(limited), cosh(limited)});
  }
  const int magnitude = abs(x), square = mul({x, x});
  const int small = fma({mul({square, x}), polynomial(square, kTanh), x});
  const int twice = at_most(add({magnitude, magnitude}), 20);  // beyond 10 the result is 1 in float
  const int large = from(1, over(2, plus(exp_near(twice), 1)));
  return sign_of(select({below(magnitude, 0.625), small, large}), x);  // of zeros too
}

int Formulas::erf(int x) const {
  const int magnitude = abs(x), square = mul({x, x});
  const int small = fma({x, polynomial(square, kErf), x});
  const int t = limit(magnitude, 1, 4);  // beyond 4 the result is 1 in float
  const int large = from(1, exp_near(neg(polynomial(t, kErfTail))));
  return select({below(magnitude, 1), small, sign_of(large, x)});
}

// The lower tail as e^(-x^2/2) times a smooth function of u; the square's last places go into the exponent too.
int Formulas::normal_cdf(int x) const {
  const int magnitude = limit(abs(x), 0, 15);  // beyond 15 the tail is 0 in float
  const int square = mul({magnitude, magnitude}), lost = fma({magnitude, magnitude, neg(square)});
  const int u = over(1, times_plus(magnitude, 0.33, k(x, 1)));
  const int half = times(square, -0.5), smooth = polynomial(u, kNormalTail);
  const int exponent = add({half, smooth}), dropped = sub({smooth, sub({exponent, half})});
  const int tail = mul({u, exp_of_sum(exponent, times_plus(lost, -0.5, dropped))});
  return select({below(x, 0), tail, from(1, tail)});
}

// Below 1/2 by its series: the difference of exponentials would cancel.
int Formulas::sinh(int x) const {
  constexpr double kSeries[] = {1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800, 1.0 / 6227020800};
  const int square = mul({x, x}), magnitude = abs(x);
  const int small = fma({mul({square, x}), polynomial(square, kSeries), x});
  const int e = exp(magnitude, -1), large = sub({e, over(0.25, e)});
  return select({below(magnitude, 0.5), small, sign_of(large, x)});
}

int Formulas::cosh(int x) const {
  const int e = exp(abs(x), -1);
  return add({e, over(0.25, e)});
}

// ---- inverse hyperbolic functions, by log(1 + t) so that nothing cancels where they are small ----

int Formulas::asinh(int x) const {
  const int magnitude = abs(x), square = mul({magnitude, magnitude});
  const int t = add({magnitude, div({square, plus(sqrt(plus(square, 1)), 1)})});
  const int huge = plus(log(magnitude), std::numbers::ln2);  // the square would overflow
  return sign_of(select({above(magnitude, 0x1p500), huge, log1p(t)}), x);
}

int Formulas::acosh(int x) const {
  const int t = plus(x, -1), root = mul({sqrt(t), sqrt(plus(t, 2))});
  const int huge = plus(log(x), std::numbers::ln2);
  return select({above(x, 0x1p500), huge, log1p(add({t, root}))});
}

int Formulas::atanh(int x) const {
  const int magnitude = abs(x);
  return sign_of(times(log1p(div({add({magnitude, magnitude}), from(1, magnitude)})), 0.5), x);
}

// ---- inverse trigonometric functions ----

// Folded to |t| <= tan(pi/8) by atan(x) = pi/2 - atan(1/x) and atan(x) = pi/4 + atan((x-1)/(x+1)).
int Formulas::atan(int x) const {
  const int magnitude = abs(x), inverted = above(magnitude, 1);
  const int t = select({inverted, over(1, magnitude), magnitude}), turned = above(t, std::numbers::sqrt2 - 1);
  const int u = select({turned, div({plus(t, -1), plus(t, 1)}), t}), square = mul({u, u});
  int y = fma({mul({square, u}), polynomial(square, kAtan), u});
  y = select({turned, plus(y, std::numbers::pi / 4), y});
  y = select({inverted, from(std::numbers::pi / 2, y), y});
  return sign_of(y, x);
}

int Formulas::asin(int x) const { return atan(div({x, sqrt(mul({from(1, x), plus(x, 1)}))})); }
int Formulas::acos(int x) const { return times(atan(sqrt(div({from(1, x), plus(x, 1)}))), 2); }

// ---- pow ----

Formulas::Sum Formulas::product(int x, int y) const {
  const int high = mul({x, y});
  return {high, fma({x, y, neg(high)})};
}

Formulas::Sum Formulas::added(int large, int small) const {
  const int high = add({large, small});
  return {high, sub({small, sub({high, large})})};
}

// log(x) as a sum of two doubles, with 2^-64 of relative error: the power multiplies the error by its exponent.
// log(m) = 2 s + 2/3 s^3 + s^5 (...) with s = (m - 1) / (m + 1), the first two terms in two parts
Formulas::Sum Formulas::log_sum(int x) const {
  const Parts p = split(x);
  const int f = plus(p.mantissa, -1), g = plus(p.mantissa, 1), g_low = sub({p.mantissa, plus(g, -1)});
  const int s = div({f, g}), s_low = div({fma({neg(s), g_low, fma({neg(s), g, f})}), g});
  Sum square = product(s, s);
  square.low = fma({add({s, s}), s_low, square.low});
  Sum cube = product(square.high, s);
  cube.low = add({cube.low, fma({square.high, s_low, mul({square.low, s})})});
  Sum third = product(cube.high, k(x, 0x1.5555555555555p-1));
  third.low = add({third.low, times_plus(cube.low, 0x1.5555555555555p-1, times(cube.high, 0x1.5555555555555p-55))});
  const int rest = mul({mul({square.high, cube.high}), polynomial(square.high, std::span(kLogDouble).subspan(1))});
  const int exponent = times(p.exponent, 0x1.62e42feep-1);
  const Sum first = added(exponent, add({s, s})), second = added(first.high, third.high);
  const int low = add({times_plus(p.exponent, 0x1.a39ef35793c76p-33, add({s_low, s_low})), add({third.low, rest})});
  return added(second.high, add({add({first.low, second.low}), low}));
}

int Formulas::log_of_magnitude(int x, int regular) const {
  return select({equals(x, 0), k(x, -INFINITY), select({below(x, INFINITY), regular, x})});
}

// |x|^y in double, within a little more than half a unit: exact powers come out exact.
int Formulas::precise_magnitude(int x, int y) const {
  const Sum logarithm = log_sum(x), exponent = product(log_of_magnitude(x, logarithm.high), y);
  const int tail = fma({logarithm.low, y, exponent.low});
  return exp_of_sum(exponent.high, select({below(abs(exponent.high), 1000), tail, k(x, 0)}));
}

int Formulas::pow(int x, int y, bool precise) const {
  const int magnitude = precise ? precise_magnitude(abs(x), y) : exp(mul({log(abs(x)), y}));
  const int whole = equal({floor(y), y}), half = times(y, 0.5);
  const int odd = both({whole, negated(equal({floor(half), half}))});
  const int negative = less({bits(x), pattern(x, 0)});
  int result = select({both({negative, odd}), neg(magnitude), magnitude});
  const int undefined = both({both({below(x, 0), above(x, -INFINITY)}), negated(whole)});
  result = select({undefined, k(x, NAN), result});
  const int unit = either({equals(x, 1), equals(y, 0)});
  const int endless = both({equals(x, -1), equals(abs(y), INFINITY)});
  return select({either({unit, endless}), k(x, 1), result});
}

}  // namespace lapis::scalar
