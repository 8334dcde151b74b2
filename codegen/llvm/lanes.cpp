#include "codegen/llvm/lanes.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

#include <cmath>

namespace lapis::llvm_backend {

using llvm::Type;
using llvm::Value;

bool is_unsigned(DType dtype) { return is_integer(dtype) && !is_signed(dtype); }

// ---- types and shapes -----------------------------------------------------------------------------------------------

bool Lanes::is_vector(const Value* v) { return v->getType()->isVectorTy(); }

Type* Lanes::register_type(DType dtype) const {
  switch (dtype) {
    case DType::Float32:
    case DType::Float16:
    case DType::BFloat16: return b.getFloatTy();
    case DType::Float64: return b.getDoubleTy();
    case DType::Bool: return b.getInt1Ty();
    default:
      LAPIS_ASSERT(is_integer(dtype) && bit_width(dtype) >= 8, "no register type for " << name_of(dtype));
      return b.getIntNTy(static_cast<unsigned>(bit_width(dtype)));
  }
}

Type* Lanes::memory_type(DType dtype) const {
  switch (dtype) {
    case DType::Float16:
    case DType::BFloat16: return b.getInt16Ty();  // masked and gathered like any other 16 bits
    case DType::Bool: return b.getInt8Ty();
    default: return register_type(dtype);
  }
}

Type* Lanes::shaped(Type* scalar, const Value* like) const {
  if (!is_vector(like)) return scalar;
  return llvm::VectorType::get(scalar, llvm::cast<llvm::VectorType>(like->getType())->getElementCount());
}

Value* Lanes::splat(Value* v) const {
  return is_vector(v) || width_ == 1 ? v : b.CreateVectorSplat(static_cast<unsigned>(width_), v);
}

void Lanes::unify(Value*& x, Value*& y) const {
  if (is_vector(x) == is_vector(y)) return;
  x = splat(x);
  y = splat(y);
}

// ---- constants ------------------------------------------------------------------------------------------------------

Value* Lanes::real(const Value* like, double value) const { return llvm::ConstantFP::get(like->getType(), value); }
Value* Lanes::integer(const Value* like, int64_t value) const {
  return llvm::ConstantInt::get(like->getType(), static_cast<uint64_t>(value), true);
}

Value* Lanes::constant(DType dtype, Immediate value) const {
  Type* type = register_type(dtype);
  if (dtype == DType::Bool) return llvm::ConstantInt::get(type, value.as_double() != 0);
  if (!is_float(dtype)) return llvm::ConstantInt::get(type, static_cast<uint64_t>(value.as_int()), true);
  const double real = value.as_double();
  return rounded(llvm::ConstantFP::get(type, type->isFloatTy() ? static_cast<double>(static_cast<float>(real)) : real),
                 dtype);
}

// ---- single instructions --------------------------------------------------------------------------------------------

Value* Lanes::select(Value* condition, Value* yes, Value* no) const {
  unify(yes, no);
  if (is_vector(condition)) {
    yes = splat(yes);
    no = splat(no);
  }
  Value* chosen = apart(yes, no);
  return b.CreateSelect(condition, chosen, apart(no, yes));
}

Value* Lanes::unary(unsigned intrinsic, Value* x) const {
  return b.CreateUnaryIntrinsic(static_cast<llvm::Intrinsic::ID>(intrinsic), x);
}

Value* Lanes::fma(Value* x, Value* y, Value* z) const {
  unify(x, y);
  unify(y, z);
  unify(x, y);
  return b.CreateIntrinsic(llvm::Intrinsic::fma, {x->getType()}, {x, y, z});
}

Value* Lanes::is_nan(Value* x) const { return b.CreateFCmpUNO(x, x); }

Value* Lanes::integer_extreme(Value* x, Value* y, DType dtype, bool largest) const {
  if (dtype == DType::Bool) return largest ? b.CreateOr(x, y) : b.CreateAnd(x, y);
  const auto id = is_unsigned(dtype) ? (largest ? llvm::Intrinsic::umax : llvm::Intrinsic::umin)
                                     : (largest ? llvm::Intrinsic::smax : llvm::Intrinsic::smin);
  return b.CreateBinaryIntrinsic(id, x, y);
}

// LLVM 19 takes the greater of c and the greater of c and x for the inner one, also where the two make different things
// of NaN and -0. Behind a fence, which is no instruction, it does not see that x comes from the same c.
Value* Lanes::apart(Value* x, Value* c) const {
  auto* inner = llvm::dyn_cast<llvm::SelectInst>(x);
  const bool same = inner && (inner->getTrueValue() == c || inner->getFalseValue() == c);
  return same && x->getType()->isFPOrFPVectorTy() ? b.CreateArithmeticFence(x, x->getType()) : x;
}

// One instruction, which returns y when the two are equal or either is NaN.
Value* Lanes::picked(Value* x, Value* y, bool largest) const {
  x = apart(x, y);
  y = apart(y, x);
  return b.CreateSelect(largest ? b.CreateFCmpOGT(x, y) : b.CreateFCmpOLT(x, y), x, y);
}

// A constant that decides the sign of zero by itself, or never meets one: compared first, it leaves NaN and zeros of
// the other operand as they are.
static bool may_come_first(Value* v, bool largest) {
  auto* c = llvm::dyn_cast<llvm::Constant>(v);
  auto* scalar = c && c->getType()->isVectorTy() ? c->getSplatValue() : c;
  auto* fp = llvm::dyn_cast_or_null<llvm::ConstantFP>(scalar);
  return fp && !fp->isNaN() && !(fp->isZero() && fp->isNegative() != largest);
}

// Picked in both orders the results differ where the operands are equal or one is NaN: zeros of different sign agree on
// +0 by "and", on -0 by "or"; all bits set are a NaN.
Value* Lanes::real_extreme(Value* x, Value* y, bool largest) const {
  if (may_come_first(x, largest)) return picked(x, y, largest);
  if (may_come_first(y, largest)) return picked(y, x, largest);
  Type* bits = shaped(b.getIntNTy(x->getType()->getScalarSizeInBits()), x);
  Value *one = b.CreateBitCast(picked(x, y, largest), bits), *other = b.CreateBitCast(picked(y, x, largest), bits);
  Value* agreed = largest ? b.CreateAnd(one, other) : b.CreateOr(one, other);
  Value* unordered = b.CreateSExt(b.CreateFCmpUNO(x, y), bits);
  return b.CreateBitCast(b.CreateOr(agreed, unordered), x->getType());
}

Value* Lanes::maximum(Value* x, Value* y, DType dtype) const {
  unify(x, y);
  return is_float(dtype) ? real_extreme(x, y, true) : integer_extreme(x, y, dtype, true);
}
Value* Lanes::minimum(Value* x, Value* y, DType dtype) const {
  unify(x, y);
  return is_float(dtype) ? real_extreme(x, y, false) : integer_extreme(x, y, dtype, false);
}
Value* Lanes::at_least(Value* x, Value* low, DType dtype) const {
  unify(x, low);
  return is_float(dtype) ? picked(low, x, true) : integer_extreme(x, low, dtype, true);
}
Value* Lanes::at_most(Value* x, Value* high, DType dtype) const {
  unify(x, high);
  return is_float(dtype) ? picked(high, x, false) : integer_extreme(x, high, dtype, false);
}

Value* Lanes::clamp(Value* x, double lowest, double highest) const {
  return picked(picked(x, real(x, lowest), true), real(x, highest), false);
}

Value* Lanes::any(Value* condition) const { return is_vector(condition) ? b.CreateOrReduce(condition) : condition; }

// ---- conversions ----------------------------------------------------------------------------------------------------

namespace {

// bfloat16 is the upper half of a float; rounding to even and keeping NaN a NaN is integer arithmetic,
// the same on every machine.
Value* bfloat_bits(const Lanes& l, Value* x) {
  auto& b = l.b;
  Value* bits = b.CreateBitCast(x, l.shaped(b.getInt32Ty(), x));
  Value* upper = b.CreateLShr(bits, l.integer(bits, 16));
  Value* even = b.CreateAnd(upper, l.integer(bits, 1));
  Value* rounded = b.CreateLShr(b.CreateAdd(b.CreateAdd(bits, l.integer(bits, 0x7FFF)), even), l.integer(bits, 16));
  Value* quiet = b.CreateOr(upper, l.integer(bits, 0x40));
  return b.CreateTrunc(b.CreateSelect(l.is_nan(x), quiet, rounded), l.shaped(b.getInt16Ty(), x));
}

Value* from_bfloat_bits(const Lanes& l, Value* bits) {
  auto& b = l.b;
  Value* wide = b.CreateZExt(bits, l.shaped(b.getInt32Ty(), bits));
  return b.CreateBitCast(b.CreateShl(wide, l.integer(wide, 16)), l.shaped(b.getFloatTy(), bits));
}

// A double as a float whose last bit says that something was lost, so that rounding to half precision rounds once.
Value* rounded_to_odd(const Lanes& l, Value* x) {
  auto& b = l.b;
  Value* nearest = b.CreateFPTrunc(x, l.shaped(b.getFloatTy(), x));
  Value* back = b.CreateFPExt(nearest, x->getType());
  Value* bits = b.CreateBitCast(nearest, l.shaped(b.getInt32Ty(), x));
  Value *rounded = l.unary(llvm::Intrinsic::fabs, back), *exact = l.unary(llvm::Intrinsic::fabs, x);
  Value* away = b.CreateFCmpOGT(rounded, exact);
  Value* odd = b.CreateOr(b.CreateSub(bits, b.CreateZExt(away, bits->getType())), l.integer(bits, 1));
  return b.CreateBitCast(b.CreateSelect(b.CreateFCmpONE(back, x), odd, bits), nearest->getType());
}

// Half precision in memory only. The fence keeps what has computed the float from being done in halves: that gains
// nothing without instructions for them, and the extreme of two scalars would become a call of fminf.
Value* half_bits(const Lanes& l, Value* x) {
  auto& b = l.b;
  Value* half = b.CreateFPTrunc(b.CreateArithmeticFence(x, x->getType()), l.shaped(b.getHalfTy(), x));
  return b.CreateBitCast(half, l.shaped(b.getInt16Ty(), x));
}

// Highest value of the register type that is below 2^bits.
double below_power(const Type* scalar, int bits) {
  return scalar->isFloatTy() ? static_cast<double>(std::nextafter(std::ldexp(1.0f, bits), 0.0f))
                             : std::nextafter(std::ldexp(1.0, bits), 0.0);
}

}  // namespace

Value* Lanes::from_memory(Value* raw, DType dtype) const {
  if (dtype == DType::Bool) return b.CreateICmpNE(raw, integer(raw, 0));
  if (dtype == DType::Float16)
    return b.CreateFPExt(b.CreateBitCast(raw, shaped(b.getHalfTy(), raw)), shaped(b.getFloatTy(), raw));
  if (dtype == DType::BFloat16) return from_bfloat_bits(*this, raw);
  return raw;
}

Value* Lanes::to_memory(Value* value, DType dtype) const {
  if (dtype == DType::Bool) return b.CreateZExt(value, shaped(b.getInt8Ty(), value));
  if (dtype == DType::Float16) return half_bits(*this, value);
  if (dtype == DType::BFloat16) return bfloat_bits(*this, value);
  return value;
}

Value* Lanes::rounded(Value* value, DType dtype) const {
  if (dtype != DType::Float16 && dtype != DType::BFloat16) return value;
  return from_memory(to_memory(value, dtype), dtype);
}

// Truncates toward zero and saturates; NaN gives 0.
// Everything is clamped before the conversion, which is undefined out of range.
Value* Lanes::to_integer(Value* value, DType to) const {
  const IntegerRange range = integer_range(to);
  const int bits = bit_width(to);
  value = b.CreateSelect(is_nan(value), real(value, 0), value);
  Type* result = shaped(register_type(to), value);
  if (bits <= 16) {
    Value* limited = clamp(value, static_cast<double>(range.lowest), static_cast<double>(range.highest));
    return b.CreateTrunc(b.CreateFPToSI(limited, shaped(b.getInt32Ty(), value)), result);
  }
  const int magnitude = is_unsigned(to) ? bits : bits - 1;
  Value* limited = clamp(value, is_unsigned(to) ? 0 : -std::ldexp(1.0, bits - 1),
                         below_power(value->getType()->getScalarType(), magnitude));
  Value* converted = is_unsigned(to) ? b.CreateFPToUI(limited, result) : b.CreateFPToSI(limited, result);
  Value* beyond = b.CreateFCmpOGE(value, real(value, std::ldexp(1.0, magnitude)));
  const auto highest = is_unsigned(to) ? llvm::APInt::getMaxValue(static_cast<unsigned>(bits))
                                       : llvm::APInt::getSignedMaxValue(static_cast<unsigned>(bits));
  return b.CreateSelect(beyond, llvm::ConstantInt::get(result, highest), converted);
}

Value* Lanes::convert(Value* value, DType from, DType to) const {
  if (from == to) return value;
  Type* type = shaped(register_type(to), value);
  const bool from_float = is_float(from), to_float = is_float(to);
  if (to == DType::Bool)
    return from_float ? b.CreateFCmpUNE(value, real(value, 0)) : b.CreateICmpNE(value, integer(value, 0));
  if (from == DType::Float64 && to == DType::Float16) return rounded(rounded_to_odd(*this, value), to);
  if (from_float && to_float) return rounded(b.CreateFPCast(value, type), to);
  if (from_float) return to_integer(value, to);
  const bool zero_extends = from == DType::Bool || is_unsigned(from);
  if (to_float) return rounded(zero_extends ? b.CreateUIToFP(value, type) : b.CreateSIToFP(value, type), to);
  return zero_extends ? b.CreateZExtOrTrunc(value, type) : b.CreateSExtOrTrunc(value, type);
}

}  // namespace lapis::llvm_backend
