#include "codegen/llvm/math.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "codegen/llvm/huge_angles.h"
#include "codegen/llvm/polynomials.h"

namespace lapis::llvm_backend {
namespace {

using llvm::Value;

// Arithmetic on one register type, in the notation of formulas.
class Math {
 public:
  explicit Math(const Lanes& lanes) : l(lanes), b(lanes.b) {}

  Value* k(Value* like, double value) const { return l.real(like, value); }
  Value* add(Value* x, Value* y) const { return b.CreateFAdd(x, y); }
  Value* add(Value* x, double y) const { return b.CreateFAdd(x, k(x, y)); }
  Value* sub(Value* x, Value* y) const { return b.CreateFSub(x, y); }
  Value* sub(double x, Value* y) const { return b.CreateFSub(k(y, x), y); }
  Value* mul(Value* x, Value* y) const { return b.CreateFMul(x, y); }
  Value* mul(Value* x, double y) const { return b.CreateFMul(x, k(x, y)); }
  Value* div(Value* x, Value* y) const { return b.CreateFDiv(x, y); }
  Value* fma(Value* x, Value* y, Value* z) const { return l.fma(x, y, z); }
  Value* fma(Value* x, double y, Value* z) const { return l.fma(x, k(x, y), z); }
  Value* sqrt(Value* x) const { return l.unary(llvm::Intrinsic::sqrt, x); }
  Value* abs(Value* x) const { return l.unary(llvm::Intrinsic::fabs, x); }
  Value* sign_of(Value* magnitude, Value* sign) const {
    return b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude, sign);
  }
  Value* less(Value* x, double y) const { return b.CreateFCmpOLT(x, k(x, y)); }
  Value* greater(Value* x, double y) const { return b.CreateFCmpOGT(x, k(x, y)); }
  Value* select(Value* condition, Value* yes, Value* no) const { return b.CreateSelect(condition, yes, no); }
  // NaN stays NaN.
  Value* limit(Value* x, double low, double high) const {
    x = select(less(x, low), k(x, low), x);
    return select(greater(x, high), k(x, high), x);
  }
  // c[0] + c[1] x + ...
  Value* polynomial(Value* x, std::span<const double> c) const {
    Value* sum = k(x, c.back());
    for (size_t i = c.size() - 1; i-- > 0;) sum = fma(sum, x, k(x, c[i]));
    return sum;
  }

  bool is_double(Value* x) const { return x->getType()->getScalarType()->isDoubleTy(); }
  Value* widened(Value* x) const { return is_double(x) ? x : b.CreateFPExt(x, l.shaped(b.getDoubleTy(), x)); }
  Value* narrowed(Value* x) const { return b.CreateFPTrunc(x, l.shaped(b.getFloatTy(), x)); }

  // ---- bits of floating point numbers ----
  int mantissa_bits(Value* x) const { return is_double(x) ? 52 : 23; }
  int bias(Value* x) const { return is_double(x) ? 1023 : 127; }
  Value* bits(Value* x) const {
    return b.CreateBitCast(x, l.shaped(is_double(x) ? b.getInt64Ty() : b.getInt32Ty(), x));
  }
  Value* from_bits(Value* i, Value* like) const { return b.CreateBitCast(i, like->getType()); }
  Value* shifted_left(Value* i, int n) const { return b.CreateShl(i, l.integer(i, n)); }

  // The whole number nearest to x as a float and, without a conversion that a NaN could poison, as an integer.
  struct Whole {
    Value *real, *integer;
  };
  Whole nearest(Value* x) const {
    const double magic = is_double(x) ? 0x1.8p52 : 0x1.8p23;
    Value* shifted = add(x, magic);
    return {add(shifted, -magic), b.CreateSub(bits(shifted), bits(k(x, magic)))};
  }
  Value* power_of_two(Value* n, Value* like) const {
    return from_bits(shifted_left(b.CreateAdd(n, l.integer(n, bias(like))), mantissa_bits(like)), like);
  }

  // ---- exp and log ----

  // In two multiplications, so that results below the normal range are rounded once and large ones overflow.
  Value* scaled(Value* x, Value* n) const {
    Value* half = b.CreateAShr(n, l.integer(n, 1));
    return mul(mul(x, power_of_two(half, x)), power_of_two(b.CreateSub(n, half), x));
  }

  // x = n ln(2) + rest + lost
  struct Exponent {
    Value *n, *rest, *lost;
  };
  Exponent reduce_exponent(Value* x) const {
    const bool wide = is_double(x);
    const Whole n = nearest(mul(x, std::numbers::log2e));
    const double high = wide ? 0x1.62e42fefa39efp-1 : 0x1.62e4p-1;
    const double low = wide ? 0x1.abc9e3b39803fp-56 : 0x1.7f7d1cf79abcap-20;
    Value *exact = fma(n.real, -high, x), *rest = fma(n.real, -low, exact);
    return {n.integer, rest, fma(n.real, -low, sub(exact, rest))};
  }
  Value* limit_exponent(Value* x) const { return is_double(x) ? limit(x, -746, 711) : limit(x, -104, 89); }
  // exp(r) - 1 for |r| <= ln(2)/2
  Value* small_expm1(Value* r) const {
    return fma(mul(r, r), is_double(r) ? polynomial(r, kExpDouble) : polynomial(r, kExp), r);
  }

  Value* exp(Value* x) const { return exp(x, 0); }
  // e^x * 2^power, which overflows only where the product does
  Value* exp(Value* x, int power) const {
    const Exponent e = reduce_exponent(limit_exponent(x));
    return scaled(add(small_expm1(e.rest), 1), power ? b.CreateAdd(e.n, l.integer(e.n, power)) : e.n);
  }
  // e^(x + tail) for a tail of a few last places of x; in double, within a little more than half a unit
  Value* exp_of_sum(Value* x, Value* tail) const {
    const Exponent e = reduce_exponent(limit_exponent(x));
    if (!is_double(x)) return scaled(add(small_expm1(add(e.rest, tail)), 1), e.n);
    Value* small = add(tail, e.lost);
    Value *r = add(e.rest, small), *lost = sub(small, sub(r, e.rest));
    return scaled(add(add(r, fma(mul(r, r), polynomial(r, kExpDouble), lost)), 1), e.n);
  }
  // e^x - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)): the second sum is exact wherever it matters, and nothing cancels.
  Value* expm1(Value* x) const {
    const Exponent e = reduce_exponent(limit_exponent(x));
    Value* n = b.CreateSub(e.n, l.integer(e.n, 1));
    Value* whole = add(scaled(k(x, 1), n), -0.5);
    Value* sum = add(scaled(small_expm1(e.rest), n), whole);
    return select(less(abs(x), is_double(x) ? 0x1p-60 : 0x1p-30), x, add(sum, sum));
  }

  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)); subnormal x are scaled up first.
  struct Parts {
    Value *mantissa, *exponent;
  };
  Parts split(Value* x) const {
    const bool wide = is_double(x);
    const double smallest = wide ? 0x1p-1022 : 0x1p-126;
    const int lift = wide ? 54 : 25;
    Value* tiny = less(x, smallest);
    Value* normal = select(tiny, mul(x, std::ldexp(1.0, lift)), x);
    Value* i = bits(normal);
    Value* root = bits(k(x, wide ? 0x1.6a09e667f3bcdp-1 : static_cast<double>(0x1.6a09e6p-1f)));
    Value* e = b.CreateAShr(b.CreateSub(i, root), l.integer(i, mantissa_bits(x)));
    Value* mantissa = from_bits(b.CreateSub(i, shifted_left(e, mantissa_bits(x))), x);
    Value* exponent = b.CreateSIToFP(e, x->getType());
    return {mantissa, select(tiny, add(exponent, -lift), exponent)};
  }

  Value* log(Value* x) const {
    const Parts p = split(x);
    Value* y = is_double(x) ? log_double(p) : log_float(p);
    y = select(b.CreateFCmpOEQ(x, k(x, 0)), k(x, -INFINITY), y);
    y = select(less(x, 0), k(x, NAN), y);
    return select(b.CreateFCmpUNE(x, x), x, select(b.CreateFCmpOEQ(x, k(x, INFINITY)), x, y));
  }
  // log(1 + x) = log(u) + (what 1 + x lost on its way to u) / u
  Value* log1p(Value* x) const {
    Value* u = add(x, 1);
    Value* lost = sub(x, add(u, -1));
    Value* logarithm = log(u);
    Value* regular = b.CreateAnd(greater(u, 0), less(u, INFINITY));
    Value* y = select(regular, add(logarithm, div(lost, u)), logarithm);
    return select(b.CreateFCmpOEQ(x, k(x, 0)), x, y);
  }
  Value* log_float(const Parts& p) const {
    Value *f = add(p.mantissa, -1), *square = mul(f, f);
    Value* tail = mul(mul(square, f), polynomial(f, kLog));
    tail = fma(p.exponent, -2.12194440e-4, tail);  // ln(2) = 0.693359375 - 2.12194440e-4
    tail = fma(square, -0.5, tail);
    return fma(p.exponent, 0.693359375, add(f, tail));
  }
  Value* log_double(const Parts& p) const {
    Value* s = div(add(p.mantissa, -1), add(p.mantissa, 1));
    Value* square = mul(s, s);
    Value* tail = mul(mul(square, s), polynomial(square, kLogDouble));
    tail = fma(p.exponent, 0x1.abc9e3b39803fp-56, tail);
    return fma(p.exponent, 0x1.62e42fefa39efp-1, fma(s, 2, tail));
  }

  // ---- functions built on exp ----

  Value* sigmoid(Value* x) const {
    Value* e = exp(b.CreateFNeg(abs(x)));
    return div(select(less(x, 0), e, k(x, 1)), add(e, 1));
  }

  Value* tanh(Value* x) const {
    if (is_double(x)) return tanh_double(x);
    Value *magnitude = abs(x), *square = mul(x, x);
    Value* small = fma(mul(square, x), polynomial(square, kTanh), x);
    Value* large = sub(1, div(k(x, 2), add(exp(add(magnitude, magnitude)), 1)));
    return sign_of(select(less(magnitude, 0.625), small, large), x);  // of zeros too
  }
  // sinh / cosh, so that small arguments lose nothing
  Value* tanh_double(Value* x) const {
    Value* limited = limit(x, -30, 30);
    return div(sinh(limited), cosh(limited));
  }

  Value* erf(Value* x) const {
    Value* magnitude = abs(x);
    Value* square = mul(x, x);
    Value* small = fma(x, polynomial(square, kErf), x);
    Value* t = limit(magnitude, 1, 4);  // beyond 4 the result is 1 in float
    Value* large = sub(1, exp(b.CreateFNeg(polynomial(t, kErfTail))));
    return select(less(magnitude, 1), small, sign_of(large, x));
  }

  // The lower tail as e^(-x^2/2) times a smooth function of u; the square's last places go into the exponent too.
  Value* normal_cdf(Value* x) const {
    Value* magnitude = limit(abs(x), 0, 15);  // beyond 15 the tail is 0 in float
    Value* square = mul(magnitude, magnitude);
    Value* lost = fma(magnitude, magnitude, b.CreateFNeg(square));
    Value* u = div(k(x, 1), fma(magnitude, 0.33, k(x, 1)));
    Value *half = mul(square, -0.5), *smooth = polynomial(u, kNormalTail);
    Value *exponent = add(half, smooth), *dropped = sub(smooth, sub(exponent, half));
    Value* tail = mul(u, exp_of_sum(exponent, fma(lost, -0.5, dropped)));
    return select(less(x, 0), tail, sub(1, tail));
  }

  // Below 1/2 by its series: the difference of exponentials would cancel.
  Value* sinh(Value* x) const {
    Value *square = mul(x, x), *magnitude = abs(x);
    constexpr double kSeries[] = {1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800, 1.0 / 6227020800};
    Value* small = fma(mul(square, x), polynomial(square, kSeries), x);
    Value* e = exp(magnitude, -1);
    Value* large = sub(e, div(k(x, 0.25), e));
    return select(less(magnitude, 0.5), small, sign_of(large, x));
  }
  Value* cosh(Value* x) const {
    Value* e = exp(abs(x), -1);
    return add(e, div(k(x, 0.25), e));
  }

  // ---- inverse hyperbolic functions, by log(1 + t) so that nothing cancels where they are small ----

  Value* asinh(Value* x) const {
    Value *magnitude = abs(x), *square = mul(magnitude, magnitude);
    Value* t = add(magnitude, div(square, add(sqrt(add(square, 1)), 1)));
    Value* huge = add(log(magnitude), std::numbers::ln2);  // the square would overflow
    return sign_of(select(greater(magnitude, 0x1p500), huge, log1p(t)), x);
  }
  Value* acosh(Value* x) const {
    Value* t = add(x, -1);
    Value* root = mul(sqrt(t), sqrt(add(t, 2)));
    Value* huge = add(log(x), std::numbers::ln2);
    return select(greater(x, 0x1p500), huge, log1p(add(t, root)));
  }
  Value* atanh(Value* x) const {
    Value* magnitude = abs(x);
    return sign_of(mul(log1p(div(add(magnitude, magnitude), sub(1, magnitude))), 0.5), x);
  }

  // ---- trigonometry ----

  struct Reduced {
    Value *sine, *cosine, *quadrant;
  };
  // sin and cos of x minus the nearest multiple n of pi/2. pi/2 in three parts: exact products in the fused steps.
  Reduced reduce(Value* x) const {
    Value* n = l.unary(llvm::Intrinsic::roundeven, mul(x, 2 / std::numbers::pi));
    Value* rest = fma(n, -0x1.921fb54442d18p+0, x);
    rest = fma(n, -0x1.1a62633145c07p-54, rest);
    rest = fma(n, 0x1.f1976b7ed8fbcp-110, rest);
    // n mod 4 by arithmetic that stays defined for infinities and NaN: their sine is NaN whatever it says
    Value* quarter = l.unary(llvm::Intrinsic::floor, mul(n, 0.25));
    const ReducedAngle angle = reduce_huge_angles(l, x, {rest, fma(quarter, -4, n)});
    Value* r = angle.rest;
    Value *square = mul(r, r), *half = mul(square, 0.5);
    Value* sine = fma(mul(square, r), polynomial(square, kSin), r);
    Value* cosine = add(fma(mul(square, square), polynomial(square, kCos), b.CreateFNeg(half)), 1);
    return {sine, cosine, angle.quadrant};
  }
  Value* is_odd(Value* quadrant) const {
    return b.CreateOr(b.CreateFCmpOEQ(quadrant, k(quadrant, 1)), b.CreateFCmpOEQ(quadrant, k(quadrant, 3)));
  }
  Value* negated_if(Value* condition, Value* x) const { return select(condition, b.CreateFNeg(x), x); }
  Value* sin(Value* x) const {
    const Reduced r = reduce(x);
    Value* y = negated_if(greater(r.quadrant, 1.5), select(is_odd(r.quadrant), r.cosine, r.sine));
    return select(b.CreateFCmpOEQ(x, k(x, 0)), x, y);  // keeps -0
  }
  Value* cos(Value* x) const {
    const Reduced r = reduce(x);
    Value* negative = b.CreateAnd(greater(r.quadrant, 0.5), less(r.quadrant, 2.5));
    return negated_if(negative, select(is_odd(r.quadrant), r.sine, r.cosine));
  }
  Value* tan(Value* x) const {
    const Reduced r = reduce(x);
    Value* odd = is_odd(r.quadrant);
    Value* y = negated_if(odd, div(select(odd, r.cosine, r.sine), select(odd, r.sine, r.cosine)));
    return select(b.CreateFCmpOEQ(x, k(x, 0)), x, y);
  }

  // Folded to |t| <= tan(pi/8) by atan(x) = pi/2 - atan(1/x) and atan(x) = pi/4 + atan((x-1)/(x+1)).
  Value* atan(Value* x) const {
    Value* magnitude = abs(x);
    Value* inverted = greater(magnitude, 1);
    Value* t = select(inverted, div(k(x, 1), magnitude), magnitude);
    Value* turned = greater(t, std::numbers::sqrt2 - 1);
    Value* u = select(turned, div(add(t, -1), add(t, 1)), t);
    Value* square = mul(u, u);
    Value* y = fma(mul(square, u), polynomial(square, kAtan), u);
    y = select(turned, add(y, std::numbers::pi / 4), y);
    y = select(inverted, sub(std::numbers::pi / 2, y), y);
    return sign_of(y, x);
  }
  Value* asin(Value* x) const { return atan(div(x, sqrt(mul(sub(1, x), add(x, 1))))); }
  Value* acos(Value* x) const { return mul(atan(sqrt(div(sub(1, x), add(x, 1)))), 2); }

  // ---- pow ----

  // log(x) as a sum of two doubles, with 2^-64 of relative error: the power multiplies the error by its exponent.
  struct Sum {
    Value *high, *low;
  };
  Sum product(Value* x, Value* y) const {
    Value* high = mul(x, y);
    return {high, fma(x, y, b.CreateFNeg(high))};
  }
  Sum added(Value* large, Value* small) const {
    Value* high = add(large, small);
    return {high, sub(small, sub(high, large))};
  }
  // log(m) = 2 s + 2/3 s^3 + s^5 (...) with s = (m - 1) / (m + 1), the first two terms in two parts
  Sum log_sum(Value* x) const {
    const Parts p = split(x);
    Value *f = add(p.mantissa, -1), *g = add(p.mantissa, 1), *g_low = sub(p.mantissa, add(g, -1));
    Value* s = div(f, g);
    Value* s_low = div(fma(b.CreateFNeg(s), g_low, fma(b.CreateFNeg(s), g, f)), g);
    Sum square = product(s, s);
    square.low = fma(add(s, s), s_low, square.low);
    Sum cube = product(square.high, s);
    cube.low = add(cube.low, fma(square.high, s_low, mul(square.low, s)));
    Sum third = product(cube.high, k(x, 0x1.5555555555555p-1));
    third.low = add(third.low, fma(cube.low, 0x1.5555555555555p-1, mul(cube.high, 0x1.5555555555555p-55)));
    Value* rest = mul(mul(square.high, cube.high), polynomial(square.high, std::span(kLogDouble).subspan(1)));
    const Sum first = added(mul(p.exponent, 0x1.62e42feep-1), add(s, s)), second = added(first.high, third.high);
    Value* low = add(fma(p.exponent, 0x1.a39ef35793c76p-33, add(s_low, s_low)), add(third.low, rest));
    return added(second.high, add(add(first.low, second.low), low));
  }
  Value* log_of_magnitude(Value* x, Value* regular) const {
    return select(b.CreateFCmpOEQ(x, k(x, 0)), k(x, -INFINITY), select(less(x, INFINITY), regular, x));
  }
  // |x|^y in double, within a little more than half a unit: exact powers come out exact.
  Value* precise_magnitude(Value* x, Value* y) const {
    const Sum logarithm = log_sum(x);
    const Sum exponent = product(log_of_magnitude(x, logarithm.high), y);
    Value* tail = fma(logarithm.low, y, exponent.low);
    return exp_of_sum(exponent.high, select(less(abs(exponent.high), 1000), tail, k(x, 0)));
  }

  // |x|^y by logarithm in double; sign and special cases as IEEE 754 and C say. `precise`: to the last place of double.
  Value* pow(Value* x, Value* y, bool precise) const {
    Value* magnitude = precise ? precise_magnitude(abs(x), y) : exp(mul(log(abs(x)), y));
    auto floor = [&](Value* v) { return l.unary(llvm::Intrinsic::floor, v); };
    Value* whole = b.CreateFCmpOEQ(floor(y), y);
    Value* half = mul(y, 0.5);
    Value* odd = b.CreateAnd(whole, b.CreateFCmpUNE(floor(half), half));
    Value* negative = b.CreateICmpSLT(bits(x), l.integer(bits(x), 0));
    Value* result = select(b.CreateAnd(negative, odd), b.CreateFNeg(magnitude), magnitude);
    Value* undefined = b.CreateAnd(b.CreateAnd(less(x, 0), greater(x, -INFINITY)), b.CreateNot(whole));
    result = select(undefined, k(x, NAN), result);
    Value* unit = b.CreateOr(b.CreateFCmpOEQ(x, k(x, 1)), b.CreateFCmpOEQ(y, k(y, 0)));
    Value* endless = b.CreateAnd(b.CreateFCmpOEQ(x, k(x, -1)), b.CreateFCmpOEQ(abs(y), k(y, INFINITY)));
    return select(b.CreateOr(unit, endless), k(x, 1), result);
  }

 private:
  const Lanes& l;
  llvm::IRBuilderBase& b;
};

using Function = Value* (Math::*)(Value*) const;

// Functions whose float version works in float; the others work in double.
Function function_of(Op op) {
  switch (op) {
    case Op::Exp: return static_cast<Function>(&Math::exp);
    case Op::Log: return &Math::log;
    case Op::Expm1: return &Math::expm1;
    case Op::Log1p: return &Math::log1p;
    case Op::Tanh: return &Math::tanh;
    case Op::Erf: return &Math::erf;
    case Op::NormalCdf: return &Math::normal_cdf;
    case Op::Sigmoid: return &Math::sigmoid;
    case Op::Sin: return &Math::sin;
    case Op::Cos: return &Math::cos;
    case Op::Tan: return &Math::tan;
    case Op::Asin: return &Math::asin;
    case Op::Acos: return &Math::acos;
    case Op::Atan: return &Math::atan;
    case Op::Sinh: return &Math::sinh;
    case Op::Cosh: return &Math::cosh;
    case Op::Asinh: return &Math::asinh;
    case Op::Acosh: return &Math::acosh;
    case Op::Atanh: return &Math::atanh;
    default: return nullptr;
  }
}

bool works_in_float(Op op) {
  constexpr Op kOps[] = {Op::Exp, Op::Expm1, Op::Log, Op::Log1p, Op::Tanh, Op::Erf, Op::NormalCdf, Op::Sigmoid};
  return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}

}  // namespace

bool is_math(Op op) { return function_of(op) != nullptr; }

std::string refuse_math(Op op, DType type) {
  if ((op == Op::Erf || op == Op::NormalCdf) && type == DType::Float64)
    return "the error function of double (cast to float before it)";
  return {};
}

Value* emit_math(const Lanes& lanes, Op op, Value* x) {
  const Math m(lanes);
  const Function function = function_of(op);
  LAPIS_ASSERT(function != nullptr, "op " << static_cast<int>(op) << " is no elementary function");
  if (works_in_float(op) || m.is_double(x)) return (m.*function)(x);
  return m.narrowed((m.*function)(m.widened(x)));
}

Value* emit_pow(const Lanes& lanes, Value* x, Value* y) {
  const Math m(lanes);
  if (m.is_double(x)) return m.pow(x, y, true);
  return m.narrowed(m.pow(m.widened(x), m.widened(y), false));
}

namespace {

// rest modulo divisor, both positive doubles: subtracts multiples that double computes exactly. Each round removes 40 bits of the
// quotient, so one round does unless the operands are many magnitudes apart.
Value* remainder(const Lanes& lanes, Value* dividend, Value* divisor) {
  const Math m(lanes);
  auto& b = lanes.b;
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::BasicBlock* body = llvm::BasicBlock::Create(b.getContext(), "remainder", before->getParent());
  llvm::BasicBlock* after = llvm::BasicBlock::Create(b.getContext(), "remainder.done", before->getParent());
  b.CreateBr(body);
  b.SetInsertPoint(body);
  llvm::PHINode* rest = b.CreatePHI(dividend->getType(), 2);
  rest->addIncoming(dividend, before);
  // 40 bits of the quotient, in steps of `unit`. Rounding may make it one step too large; then the step comes back. All of it is exact.
  Value* quotient = lanes.unary(llvm::Intrinsic::trunc, m.div(rest, divisor));
  Value* pattern = m.bits(quotient);
  quotient = m.from_bits(b.CreateAnd(pattern, lanes.integer(pattern, -(int64_t{1} << 13))), quotient);
  Value* unit =
      m.mul(m.from_bits(b.CreateAnd(pattern, lanes.integer(pattern, int64_t{0x7FF} << 52)), quotient), 0x1p-39);
  unit = m.select(m.less(unit, 1), m.k(unit, 1), unit);
  Value* reduced = m.fma(b.CreateFNeg(quotient), divisor, rest);
  reduced = m.select(m.less(reduced, 0), m.fma(unit, divisor, reduced), reduced);
  Value* next = m.select(b.CreateFCmpOGE(rest, divisor), reduced, rest);
  rest->addIncoming(next, body);
  b.CreateCondBr(lanes.any(b.CreateFCmpOGE(next, divisor)), body, after);
  b.SetInsertPoint(after);
  return next;
}

}  // namespace

Value* emit_fmod(const Lanes& lanes, Value* x, Value* y) {
  const Math m(lanes);
  auto& b = lanes.b;
  const bool narrow = !m.is_double(x);
  Value *dividend = m.abs(m.widened(x)), *divisor = m.abs(m.widened(y));
  // 0 and NaN are no divisors, infinity and NaN no dividends: nothing is searched there, the result is NaN.
  Value* defined = b.CreateAnd(m.greater(divisor, 0), m.less(dividend, INFINITY));
  Value* rest = m.select(defined, dividend, m.k(dividend, 0));
  if (!narrow) {  // quotients of doubles may overflow: remainders by multiples of a tiny divisor come first
    auto enlarged = [&](Value* d) { return m.select(m.less(d, 1), m.mul(d, 0x1p1000), d); };
    rest = remainder(lanes, rest, enlarged(enlarged(divisor)));
    rest = remainder(lanes, rest, enlarged(divisor));
  }
  Value* result = m.select(defined, remainder(lanes, rest, divisor), m.k(rest, NAN));
  result = narrow ? m.narrowed(result) : result;
  return m.sign_of(result, x);
}

}  // namespace lapis::llvm_backend
