#include "codegen/llvm/angles.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

#include <cmath>
#include <numbers>
#include <span>

#include "codegen/llvm/huge_angles.h"
#include "codegen/scalar/polynomials.h"

namespace lapis::llvm_backend {
namespace {

using llvm::Value;

// Arithmetic on doubles, in the notation of formulas.
class Math {
 public:
  explicit Math(const Lanes& lanes) : l(lanes), b(lanes.b) {}

  Value* k(Value* like, double value) const { return l.real(like, value); }
  Value* add(Value* x, double y) const { return b.CreateFAdd(x, k(x, y)); }
  Value* mul(Value* x, Value* y) const { return b.CreateFMul(x, y); }
  Value* mul(Value* x, double y) const { return b.CreateFMul(x, k(x, y)); }
  Value* div(Value* x, Value* y) const { return b.CreateFDiv(x, y); }
  Value* fma(Value* x, Value* y, Value* z) const { return l.fma(x, y, z); }
  Value* fma(Value* x, double y, Value* z) const { return l.fma(x, k(x, y), z); }
  Value* abs(Value* x) const { return l.unary(llvm::Intrinsic::fabs, x); }
  Value* sign_of(Value* magnitude, Value* sign) const {
    return b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude, sign);
  }
  Value* less(Value* x, double y) const { return b.CreateFCmpOLT(x, k(x, y)); }
  Value* greater(Value* x, double y) const { return b.CreateFCmpOGT(x, k(x, y)); }
  Value* select(Value* condition, Value* yes, Value* no) const { return b.CreateSelect(condition, yes, no); }
  // c[0] + c[1] x + ...
  Value* polynomial(Value* x, std::span<const double> c) const {
    Value* sum = k(x, c.back());
    for (size_t i = c.size() - 1; i-- > 0;) sum = fma(sum, x, k(x, c[i]));
    return sum;
  }

  bool is_double(Value* x) const { return x->getType()->getScalarType()->isDoubleTy(); }
  Value* widened(Value* x) const { return is_double(x) ? x : b.CreateFPExt(x, l.shaped(b.getDoubleTy(), x)); }
  Value* narrowed(Value* x) const { return b.CreateFPTrunc(x, l.shaped(b.getFloatTy(), x)); }
  Value* bits(Value* x) const { return b.CreateBitCast(x, l.shaped(b.getInt64Ty(), x)); }
  Value* from_bits(Value* i, Value* like) const { return b.CreateBitCast(i, like->getType()); }

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
    Value* cube = mul(square, r);
    Value* sine = fma(cube, polynomial(square, scalar::kSin), r);
    Value *fourth = mul(square, square), *tail = polynomial(square, scalar::kCos);
    Value* cosine = add(fma(fourth, tail, b.CreateFNeg(half)), 1);
    return {sine, cosine, angle.quadrant};
  }
  Value* is_odd(Value* quadrant) const {
    Value* first = b.CreateFCmpOEQ(quadrant, k(quadrant, 1));
    return b.CreateOr(first, b.CreateFCmpOEQ(quadrant, k(quadrant, 3)));
  }
  Value* negated_if(Value* condition, Value* x) const { return select(condition, b.CreateFNeg(x), x); }
  Value* sin(Value* x) const {
    const Reduced r = reduce(x);
    Value* negative = greater(r.quadrant, 1.5);
    Value* y = negated_if(negative, select(is_odd(r.quadrant), r.cosine, r.sine));
    return select(b.CreateFCmpOEQ(x, k(x, 0)), x, y);  // keeps -0
  }
  Value* cos(Value* x) const {
    const Reduced r = reduce(x);
    Value* beyond_first = greater(r.quadrant, 0.5);
    Value* negative = b.CreateAnd(beyond_first, less(r.quadrant, 2.5));
    return negated_if(negative, select(is_odd(r.quadrant), r.sine, r.cosine));
  }
  Value* tan(Value* x) const {
    const Reduced r = reduce(x);
    Value* odd = is_odd(r.quadrant);
    Value *dividend = select(odd, r.cosine, r.sine), *divisor = select(odd, r.sine, r.cosine);
    Value* y = negated_if(odd, div(dividend, divisor));
    return select(b.CreateFCmpOEQ(x, k(x, 0)), x, y);
  }

 private:
  const Lanes& l;
  llvm::IRBuilderBase& b;
};

}  // namespace

Value* emit_trigonometry(const Lanes& lanes, Op op, Value* x) {
  const Math m(lanes);
  Value *wide = m.widened(x), *y = op == Op::Sin ? m.sin(wide) : op == Op::Cos ? m.cos(wide) : m.tan(wide);
  return m.is_double(x) ? y : m.narrowed(y);
}

namespace {

// rest modulo divisor, both positive doubles: subtracts multiples that double computes exactly. Each round removes 40
// bits of the quotient, so one round does unless the operands are many magnitudes apart.
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
  // 40 bits of the quotient, in steps of `unit`. Rounding may make it one step too large; then the step comes back.
  // All of it is exact.
  Value* quotient = lanes.unary(llvm::Intrinsic::trunc, m.div(rest, divisor));
  Value* pattern = m.bits(quotient);
  quotient = m.from_bits(b.CreateAnd(pattern, lanes.integer(pattern, -(int64_t{1} << 13))), quotient);
  Value* unit =
      m.mul(m.from_bits(b.CreateAnd(pattern, lanes.integer(pattern, int64_t{0x7FF} << 52)), quotient), 0x1p-39);
  unit = m.select(m.less(unit, 1), m.k(unit, 1), unit);
  Value* reduced = m.fma(b.CreateFNeg(quotient), divisor, rest);
  Value* too_large = m.less(reduced, 0);
  reduced = m.select(too_large, m.fma(unit, divisor, reduced), reduced);
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
  Value* divides = m.greater(divisor, 0);
  Value* defined = b.CreateAnd(divides, m.less(dividend, INFINITY));
  Value* rest = m.select(defined, dividend, m.k(dividend, 0));
  if (!narrow) {  // quotients of doubles may overflow: remainders by multiples of a tiny divisor come first
    auto enlarged = [&](Value* d) {
      Value* small = m.less(d, 1);
      return m.select(small, m.mul(d, 0x1p1000), d);
    };
    rest = remainder(lanes, rest, enlarged(enlarged(divisor)));
    rest = remainder(lanes, rest, enlarged(divisor));
  }
  Value* result = m.select(defined, remainder(lanes, rest, divisor), m.k(rest, NAN));
  result = narrow ? m.narrowed(result) : result;
  return m.sign_of(result, x);
}

}  // namespace lapis::llvm_backend
