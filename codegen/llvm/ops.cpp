#include "codegen/llvm/ops.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

#include <cmath>

#include "codegen/llvm/angles.h"
#include "codegen/scalar/expand.h"
#include "codegen/scalar/ops.h"

namespace lapis::llvm_backend {
namespace {

using llvm::Value;
using llvm::Intrinsic::ID;

// ---- integers that must not trap ------------------------------------------------------------------------------------

struct Division {
  Value *quotient, *remainder;
};

// Truncating. The lowest integer over -1 wraps; over 0 the quotient and the remainder are 0.
Division divide(const Lanes& l, Value* x, Value* y, DType type) {
  auto& b = l.b;
  Value *zero = l.integer(y, 0), *one = l.integer(y, 1);
  Value* by_zero = b.CreateICmpEQ(y, zero);
  if (is_unsigned(type)) {
    Value* q = b.CreateUDiv(x, b.CreateSelect(by_zero, one, y));
    Value* remainder = b.CreateSub(x, b.CreateMul(q, y));
    return {b.CreateSelect(by_zero, zero, q), b.CreateSelect(by_zero, zero, remainder)};
  }
  Value* by_minus_one = b.CreateICmpEQ(y, l.integer(y, -1));
  Value* safe = b.CreateSelect(b.CreateOr(by_zero, by_minus_one), one, y);
  Value* q = b.CreateSDiv(x, safe);
  q = b.CreateSelect(by_minus_one, b.CreateNeg(x), q);
  Value* remainder = b.CreateSub(x, b.CreateMul(q, y));
  return {b.CreateSelect(by_zero, zero, q), b.CreateSelect(by_zero, zero, remainder)};
}

// The remainder takes the sign of the divisor.
Value* floor_remainder(const Lanes& l, Value* remainder, Value* y) {
  auto& b = l.b;
  Value* zero = l.integer(y, 0);
  Value* differs = b.CreateICmpSLT(b.CreateXor(remainder, y), zero);
  Value* adjust = b.CreateAnd(b.CreateICmpNE(remainder, zero), differs);
  return b.CreateSelect(adjust, b.CreateAdd(remainder, y), remainder);
}

// By squaring, wrapping; a negative exponent leaves nothing but 1 and -1.
// One step a bit of the exponent, in straight line.
Value* integer_power(const Lanes& l, Value* x, Value* y, DType type) {
  auto& b = l.b;
  Value *zero = l.integer(x, 0), *one = l.integer(x, 1);
  Value *result = one, *base = x;
  const int bits = bit_width(type);
  for (int i = 0; i < std::min(bits, 64); ++i) {
    Value* set = b.CreateICmpNE(b.CreateAnd(y, llvm::ConstantInt::get(x->getType(), uint64_t{1} << i)), zero);
    result = b.CreateSelect(set, b.CreateMul(result, base), result);
    base = b.CreateMul(base, base);
  }
  if (is_unsigned(type)) return result;
  Value* odd = b.CreateICmpNE(b.CreateAnd(y, one), zero);
  Value* minus_one = l.integer(x, -1);
  Value* alternates = b.CreateICmpEQ(x, minus_one);
  Value* inverse = b.CreateSelect(alternates, b.CreateSelect(odd, minus_one, one), zero);
  inverse = b.CreateSelect(b.CreateICmpEQ(x, one), one, inverse);
  return b.CreateSelect(b.CreateICmpSLT(y, zero), inverse, result);
}

// ---- families -------------------------------------------------------------------------------------------------------

Value* integer_binary(const Lanes& l, Op op, Value* x, Value* y, DType type) {
  auto& b = l.b;
  switch (op) {
    case Op::Add: return b.CreateAdd(x, y);
    case Op::Sub: return b.CreateSub(x, y);
    case Op::Mul: return b.CreateMul(x, y);
    case Op::Div: return divide(l, x, y, type).quotient;
    case Op::FMod: return divide(l, x, y, type).remainder;
    case Op::Mod: {
      Value* remainder = divide(l, x, y, type).remainder;
      return is_unsigned(type) ? remainder : floor_remainder(l, remainder, y);
    }
    case Op::Pow: return integer_power(l, x, y, type);
    default: LAPIS_UNREACHABLE("no integer form of " << scalar::row_of(op).name);
  }
}

Value* float_mod(const Lanes& l, Value* x, Value* y) {
  auto& b = l.b;
  Value *remainder = emit_fmod(l, x, y), *zero = l.real(x, 0);
  Value *below = b.CreateFCmpOLT(remainder, zero), *down = b.CreateFCmpOLT(y, zero);
  Value* differs = b.CreateXor(below, down);
  Value* adjust = b.CreateAnd(b.CreateFCmpUNE(remainder, zero), differs);
  return b.CreateSelect(adjust, b.CreateFAdd(remainder, y), remainder);
}

Value* float_binary(const Lanes& l, Op op, Value* x, Value* y) {
  auto& b = l.b;
  switch (op) {
    case Op::Add: return b.CreateFAdd(x, y);
    case Op::Sub: return b.CreateFSub(x, y);
    case Op::Mul: return b.CreateFMul(x, y);
    case Op::Div: return b.CreateFDiv(x, y);
    case Op::Mod: return float_mod(l, x, y);
    case Op::FMod: return emit_fmod(l, x, y);
    default: LAPIS_UNREACHABLE("no float form of " << scalar::row_of(op).name);
  }
}

Value* compare(const Lanes& l, Op op, Value* x, Value* y, DType type) {
  auto& b = l.b;
  const bool unsigned_order = is_unsigned(type) || type == DType::Bool;
  if (is_float(type))
    return op == Op::Equal ? b.CreateFCmpOEQ(x, y) : op == Op::Less ? b.CreateFCmpOLT(x, y) : b.CreateFCmpOLE(x, y);
  if (op == Op::Equal) return b.CreateICmpEQ(x, y);
  if (op == Op::Less) return unsigned_order ? b.CreateICmpULT(x, y) : b.CreateICmpSLT(x, y);
  return unsigned_order ? b.CreateICmpULE(x, y) : b.CreateICmpSLE(x, y);
}

Value* sign(const Lanes& l, Value* x, DType type) {
  auto& b = l.b;
  if (is_float(type)) {
    Value* zero = l.real(x, 0);
    Value* below = b.CreateFCmpOLT(x, zero);
    Value* negative = b.CreateSelect(below, l.real(x, -1), b.CreateFAdd(x, zero));  // +0 and NaN stay
    return b.CreateSelect(b.CreateFCmpOGT(x, zero), l.real(x, 1), negative);
  }
  Value* zero = l.integer(x, 0);
  if (is_unsigned(type)) return b.CreateZExt(b.CreateICmpNE(x, zero), x->getType());
  Value* above = b.CreateZExt(b.CreateICmpSGT(x, zero), x->getType());
  return b.CreateSub(above, b.CreateZExt(b.CreateICmpSLT(x, zero), x->getType()));
}

Value* absolute(const Lanes& l, Value* x, DType type) {
  if (is_float(type)) return l.unary(llvm::Intrinsic::fabs, x);
  if (is_unsigned(type)) return x;
  return l.b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, x, l.b.getFalse());
}

Value* is_infinite(const Lanes& l, Value* x) {
  return l.b.CreateFCmpOEQ(l.unary(llvm::Intrinsic::fabs, x), l.real(x, INFINITY));
}

// saturate(rne(x / scale) + zero): the limits are moved by the zero point instead,
// so that clamping comes before the conversion.
Value* quantize(const Lanes& l, const Instr& i, const Operand& a) {
  auto& b = l.b;
  Value* x = l.convert(a.value, a.type, DType::Float32);
  const double scale = i.imm.as_double();
  if (scale != 1) x = b.CreateFDiv(x, l.real(x, static_cast<double>(static_cast<float>(scale))));
  const IntegerRange range = integer_range(i.type);
  const auto lowest = static_cast<double>(range.lowest), highest = static_cast<double>(range.highest);
  const int64_t zero = i.imm2.as_int();
  const auto offset = static_cast<double>(zero);
  if (bit_width(i.type) > 16) {  // limits that float cannot hold
    Value* wide = b.CreateFPExt(x, l.shaped(b.getDoubleTy(), x));
    wide = b.CreateFAdd(l.unary(llvm::Intrinsic::roundeven, wide), l.real(wide, offset));
    wide = l.clamp(wide, lowest, highest);
    return b.CreateTrunc(b.CreateFPToSI(wide, l.shaped(b.getInt64Ty(), x)), l.shaped(l.register_type(i.type), x));
  }
  x = l.clamp(x, lowest - offset, highest - offset);
  Value* rounded = b.CreateFPToSI(l.unary(llvm::Intrinsic::roundeven, x), l.shaped(b.getInt32Ty(), x));
  if (zero != 0) rounded = b.CreateAdd(rounded, l.integer(rounded, zero));
  return b.CreateTrunc(rounded, l.shaped(l.register_type(i.type), x));
}

Value* dequantize(const Lanes& l, const Instr& i, const Operand& a) {
  auto& b = l.b;
  Value* centred = l.convert(a.value, a.type, DType::Int32);
  if (i.imm2.as_int() != 0) centred = b.CreateSub(centred, l.integer(centred, i.imm2.as_int()));
  Value* x = b.CreateSIToFP(centred, l.shaped(b.getFloatTy(), centred));
  x = b.CreateFMul(x, l.real(x, static_cast<double>(static_cast<float>(i.imm.as_double()))));
  return l.convert(x, DType::Float32, i.type);
}

Value* unary(const Lanes& l, Op op, const Operand& a) {
  auto& b = l.b;
  Value* x = a.value;
  switch (op) {
    case Op::Neg: return is_float(a.type) ? b.CreateFNeg(x) : b.CreateNeg(x);
    case Op::Abs: return absolute(l, x, a.type);
    case Op::Sign: return sign(l, x, a.type);
    case Op::Floor: return l.unary(llvm::Intrinsic::floor, x);
    case Op::Ceil: return l.unary(llvm::Intrinsic::ceil, x);
    case Op::RoundEven: return l.unary(llvm::Intrinsic::roundeven, x);
    case Op::Sqrt: return l.unary(llvm::Intrinsic::sqrt, x);
    case Op::Reciprocal: return b.CreateFDiv(l.real(x, 1), x);
    case Op::IsNaN: return l.is_nan(x);
    case Op::IsInf: return is_infinite(l, x);
    case Op::Not: return b.CreateNot(x);
    case Op::Sin:
    case Op::Cos:
    case Op::Tan: return emit_trigonometry(l, op, x);
    default: LAPIS_UNREACHABLE("no code for " << scalar::row_of(op).name);
  }
}

Value* shifted(const Lanes& l, const Instr& i, Value* x) {
  Value* by = l.integer(x, i.imm.as_int());
  if (i.op == Op::ShiftLeft) return l.b.CreateShl(x, by);
  return is_unsigned(i.type) ? l.b.CreateLShr(x, by) : l.b.CreateAShr(x, by);
}

Value* binary(const Lanes& l, const Instr& i, Operand x, Operand y) {
  auto& b = l.b;
  l.unify(x.value, y.value);
  switch (i.op) {
    case Op::Min: return l.minimum(x.value, y.value, x.type);
    case Op::Max: return l.maximum(x.value, y.value, x.type);
    case Op::AtLeast: return l.at_least(x.value, y.value, x.type);
    case Op::AtMost: return l.at_most(x.value, y.value, x.type);
    case Op::Equal:
    case Op::Less:
    case Op::LessOrEqual: return compare(l, i.op, x.value, y.value, x.type);
    case Op::And: return b.CreateAnd(x.value, y.value);
    case Op::Or: return b.CreateOr(x.value, y.value);
    case Op::Xor: return b.CreateXor(x.value, y.value);
    default:
      return is_float(x.type) ? float_binary(l, i.op, x.value, y.value)
                              : integer_binary(l, i.op, x.value, y.value, x.type);
  }
}

bool supported(DType type) {
  switch (type) {
    case DType::Float32:
    case DType::Float64:
    case DType::Float16:
    case DType::BFloat16:
    case DType::Bool: return true;
    default: return is_integer(type) && bit_width(type) >= 8;
  }
}

}  // namespace

std::string refuse_type(DType type) {
  return supported(type) ? std::string() : "elements of type " + std::string(name_of(type));
}

std::string refuse_op(const Instr& i, const std::array<DType, 3>& types) {
  if (std::string reason = refuse_type(i.type); !reason.empty()) return reason;
  const scalar::Row& row = scalar::row_of(i.op);
  if (row.arity > 0 && !scalar::takes(row, types[0]))
    return "'" + std::string(row.name) + "' of " + std::string(name_of(types[0]));
  if (scalar::expands(i.op, i.type) && !scalar::has_formula(i.op, i.type))
    return "the error function of double (cast to float before it)";
  if (i.op == Op::Accumulator) return "an accumulator outside of a contraction";
  return {};
}

Value* emit_op(const Lanes& l, const Instr& i, const std::array<Operand, 3>& operands) {
  const auto& [x, y, z] = operands;
  switch (i.op) {
    case Op::Constant: return l.constant(i.type, i.imm);
    case Op::Cast: return l.convert(x.value, x.type, i.type);
    case Op::Bits: return l.b.CreateBitCast(x.value, l.shaped(l.register_type(i.type), x.value));
    case Op::Quantize: return quantize(l, i, x);
    case Op::Dequantize: return dequantize(l, i, x);
    case Op::Select: return l.select(x.value, y.value, z.value);
    case Op::MultiplyAdd: return l.rounded(l.fma(x.value, y.value, z.value), i.type);
    case Op::ShiftLeft:
    case Op::ShiftRight: return shifted(l, i, x.value);
    default: break;
  }
  return l.rounded(scalar::row_of(i.op).arity == 2 ? binary(l, i, x, y) : unary(l, i.op, x), i.type);
}

}  // namespace lapis::llvm_backend
