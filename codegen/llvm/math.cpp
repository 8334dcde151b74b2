#include "codegen/llvm/math.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

#include <cmath>
#include <numbers>
#include <span>

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

  Value* exp(Value* x) const { return exp(x, 0); }
  // e^x * 2^power, which overflows only where the product does
  Value* exp(Value* x, int power) const {
    const bool wide = is_double(x);
    x = wide ? limit(x, -746, 711) : limit(x, -104, 89);
    const Whole n = nearest(mul(x, std::numbers::log2e));
    const double high = wide ? 0x1.62e42fefa39efp-1 : 0x1.62e4p-1;
    const double low = wide ? 0x1.abc9e3b39803fp-56 : 0x1.7f7d1cf79abcap-20;
    Value* r = fma(n.real, -low, fma(n.real, -high, x));
    Value* p = wide ? polynomial(r, kExpDouble) : polynomial(r, kExp);
    p = add(fma(mul(r, r), p, r), 1);
    return scaled(p, power ? b.CreateAdd(n.integer, l.integer(n.integer, power)) : n.integer);
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

  // ---- inverse hyperbolic functions: odd ones by their series near 0, where the logarithm would cancel ----

  Value* odd_near_zero(Value* x, std::span<const double> series, Value* otherwise) const {
    Value* square = mul(x, x);
    Value* small = fma(mul(square, x), polynomial(square, series), x);
    return sign_of(select(less(abs(x), 0.03), small, otherwise), x);  // of zeros too
  }
  Value* asinh(Value* x) const {
    constexpr double kSeries[] = {-1.0 / 6, 3.0 / 40, -15.0 / 336, 105.0 / 3456, -945.0 / 42240};
    Value* magnitude = abs(x);
    Value* root = add(magnitude, sqrt(fma(magnitude, magnitude, k(x, 1))));
    Value* huge = add(log(magnitude), std::numbers::ln2);  // the square would overflow
    Value* large = select(greater(magnitude, 0x1p500), huge, log(root));
    return odd_near_zero(x, kSeries, sign_of(large, x));
  }
  Value* acosh(Value* x) const {
    Value* root = mul(sqrt(add(x, -1)), sqrt(add(x, 1)));
    return log(add(x, root));
  }
  Value* atanh(Value* x) const {
    constexpr double kSeries[] = {1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11};
    return odd_near_zero(x, kSeries, mul(log(div(add(x, 1), sub(1, x))), 0.5));
  }

  // ---- trigonometry ----

  struct Reduced {
    Value *sine, *cosine, *quadrant;
  };
  // sin and cos of x minus the nearest multiple n of pi/2. pi/2 in three parts: exact products in the fused steps.
  Reduced reduce(Value* x) const {
    Value* n = l.unary(llvm::Intrinsic::roundeven, mul(x, 2 / std::numbers::pi));
    Value* r = fma(n, -0x1.921fb54442d18p+0, x);
    r = fma(n, -0x1.1a62633145c07p-54, r);
    r = fma(n, 0x1.f1976b7ed8fbcp-110, r);
    Value *square = mul(r, r), *half = mul(square, 0.5);
    Value* sine = fma(mul(square, r), polynomial(square, kSin), r);
    Value* cosine = add(fma(mul(square, square), polynomial(square, kCos), b.CreateFNeg(half)), 1);
    // n mod 4 by arithmetic that stays defined for infinities and NaN: their sine is NaN whatever it says
    Value* quarter = l.unary(llvm::Intrinsic::floor, mul(n, 0.25));
    return {sine, cosine, fma(quarter, -4, n)};
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

  // |x|^y by logarithm in double; sign and special cases as IEEE 754 and C say.
  Value* pow(Value* x, Value* y) const {
    Value* magnitude = exp(mul(log(abs(x)), y));
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
    case Op::Tanh: return &Math::tanh;
    case Op::Erf: return &Math::erf;
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
  return op == Op::Exp || op == Op::Log || op == Op::Tanh || op == Op::Erf || op == Op::Sigmoid;
}

}  // namespace

bool is_math(Op op) { return function_of(op) != nullptr; }

std::string refuse_math(Op op, DType type) {
  if (op == Op::Erf && type == DType::Float64) return "Erf of double (cast to float before it)";
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
  if (m.is_double(x)) return m.pow(x, y);
  return m.narrowed(m.pow(m.widened(x), m.widened(y)));
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
