#include "codegen/llvm/huge_angles.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>

#include <array>
#include <cmath>
#include <numbers>

namespace lapis::llvm_backend {
namespace {

using llvm::Value;

// 64 zero bits, then 2/pi from the bit of weight 2 on: enough for the largest exponent of a double.
constexpr uint64_t kTwoOverPi[] = {0x0000000000000000, 0x28be60db9391054a, 0x7f09d5f47d4d3770, 0x36d8a5664f10e410,
                                   0x7f9458eaf7aef158, 0x6dc91b8e909374b8, 0x01924bba82746487, 0x3f877ac72c4a69cf,
                                   0xba208d7d4baed121, 0x3a671c09ad17df90, 0x4e64758e60d4ce7d, 0x272117e2ef7e4a0e,
                                   0xc7fe25fff7816603, 0xfbcbc462d6829b47, 0xdb4d9fb3c9f2c26d, 0xd3d18fd9a797fa8b,
                                   0x5d49eeb1faf97c5e, 0xcf41ce7de294a4ba, 0x9afed7ec47e35742, 0x1580cc11bf1edaea};

constexpr const char* kFunction = "lapis.reduce_angle";

llvm::GlobalVariable* table(llvm::Module& module) {
  auto* contents = llvm::ConstantDataArray::get(module.getContext(), llvm::ArrayRef<uint64_t>(kTwoOverPi));
  auto* global = new llvm::GlobalVariable(module, contents->getType(), true, llvm::GlobalValue::PrivateLinkage,
                                          contents, "lapis.two_over_pi");
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

// The scalar function (double) -> {rest, quadrant}: x = m 2^e with a whole m of 53 bits, and x 2/pi modulo 4 needs only
// the bits of 2^e 2/pi below weight 4. 192 of them leave more than 53 correct
// ones however near x is to a multiple of pi/2.
class Reduction {
 public:
  explicit Reduction(llvm::Module& module) : module_(module), b_(module.getContext()) {}

  llvm::Function* emit() {
    llvm::Type* real = b_.getDoubleTy();
    auto* type = llvm::FunctionType::get(llvm::StructType::get(real, real), {real}, false);
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, kFunction, module_);
    function->setDSOLocal(true);
    for (const char* attribute : {"no-builtins", "no-stack-arg-probe"}) function->addFnAttr(attribute);
    function->addFnAttr(llvm::Attribute::NoUnwind);
    b_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function));
    Value* x = function->getArg(0);
    Value* bits = b_.CreateBitCast(x, b_.getInt64Ty());
    Value* m = mantissa(bits);
    Value* product = multiply(m, window(exponent(bits)));
    Value* top = b_.CreateTrunc(b_.CreateLShr(product, 64), b_.getInt64Ty());
    Value* quadrant = b_.CreateLShr(b_.CreateAdd(top, word(uint64_t{1} << 61)), 62);  // the nearest, modulo 4
    Value* turns = b_.CreateShl(b_.CreateZExt(quadrant, b_.getInt128Ty()), 126);
    Value* rest = b_.CreateFMul(signed_fraction(b_.CreateSub(product, turns)), number(std::numbers::pi / 2));
    Value* negative = b_.CreateICmpSLT(bits, word(0));
    rest = b_.CreateSelect(negative, b_.CreateFNeg(rest), rest);
    quadrant = b_.CreateAnd(b_.CreateSelect(negative, b_.CreateNeg(quadrant), quadrant), word(3));
    Value* result = b_.CreateInsertValue(llvm::PoisonValue::get(type->getReturnType()), rest, 0);
    b_.CreateRet(b_.CreateInsertValue(result, b_.CreateUIToFP(quadrant, real), 1));
    return function;
  }

 private:
  Value* word(uint64_t value) { return b_.getInt64(value); }
  Value* number(double value) { return llvm::ConstantFP::get(b_.getDoubleTy(), value); }
  Value* wide(Value* v) { return b_.CreateZExt(v, b_.getInt128Ty()); }

  Value* mantissa(Value* bits) {
    constexpr uint64_t kFraction = (uint64_t{1} << 52) - 1;
    return b_.CreateOr(b_.CreateAnd(bits, word(kFraction)), word(kFraction + 1));
  }
  Value* exponent(Value* bits) { return b_.CreateSub(b_.CreateAnd(b_.CreateLShr(bits, 52), word(0x7FF)), word(1075)); }

  struct Window {
    Value *high, *middle, *low;
  };
  Window window(Value* exponent) {
    Value* first = b_.CreateAdd(exponent, word(64));
    Value *index = b_.CreateLShr(first, 6), *shift = b_.CreateAnd(first, word(63));
    llvm::GlobalVariable* bits = table(module_);
    std::array<Value*, 4> words;
    for (uint64_t i = 0; i < 4; ++i) {
      Value* at = b_.CreateGEP(b_.getInt64Ty(), bits, b_.CreateAdd(index, word(i)));
      words[i] = b_.CreateAlignedLoad(b_.getInt64Ty(), at, llvm::Align(8));
    }
    auto joined = [&](size_t i) {
      return b_.CreateIntrinsic(llvm::Intrinsic::fshl, {b_.getInt64Ty()}, {words[i], words[i + 1], shift});
    };
    return {joined(0), joined(1), joined(2)};
  }

  // The upper 128 of the lowest 192 bits.
  Value* multiply(Value* m, const Window& w) {
    Value* factor = wide(m);
    Value* low = b_.CreateLShr(b_.CreateMul(factor, wide(w.low)), 64);
    Value* middle = b_.CreateAdd(b_.CreateMul(factor, wide(w.middle)), low);
    return b_.CreateAdd(b_.CreateShl(wide(b_.CreateMul(m, w.high)), 64), middle);
  }

  // A fixed point number with 126 bits behind the point.
  Value* signed_fraction(Value* fixed) {
    Value* negative = b_.CreateICmpSLT(fixed, llvm::ConstantInt::get(b_.getInt128Ty(), 0));
    Value* magnitude = b_.CreateSelect(negative, b_.CreateNeg(fixed), fixed);
    Value* high = b_.CreateUIToFP(b_.CreateTrunc(b_.CreateLShr(magnitude, 64), b_.getInt64Ty()), b_.getDoubleTy());
    Value* low = b_.CreateUIToFP(b_.CreateTrunc(magnitude, b_.getInt64Ty()), b_.getDoubleTy());
    high = b_.CreateFMul(high, number(0x1p-62));
    Value* real = b_.CreateFAdd(high, b_.CreateFMul(low, number(0x1p-126)));
    return b_.CreateSelect(negative, b_.CreateFNeg(real), real);
  }

  llvm::Module& module_;
  llvm::IRBuilder<> b_;
};

llvm::Function* reduction(llvm::Module& module) {
  llvm::Function* known = module.getFunction(kFunction);
  return known ? known : Reduction(module).emit();
}

// Every lane by itself; what needs no reduction comes along as 0.
ReducedAngle reduce_lanes(const Lanes& l, llvm::Function* function, Value* x) {
  auto& b = l.b;
  auto part = [&](Value* pair, unsigned i) { return b.CreateExtractValue(pair, i); };
  if (!Lanes::is_vector(x)) {
    Value* pair = b.CreateCall(function, {x});
    return {part(pair, 0), part(pair, 1)};
  }
  ReducedAngle all{l.real(x, 0), l.real(x, 0)};
  for (int i = 0; i < l.width(); ++i) {
    const auto lane = static_cast<uint64_t>(i);
    Value* pair = b.CreateCall(function, {b.CreateExtractElement(x, lane)});
    all.rest = b.CreateInsertElement(all.rest, part(pair, 0), lane);
    all.quadrant = b.CreateInsertElement(all.quadrant, part(pair, 1), lane);
  }
  return all;
}

}  // namespace

ReducedAngle reduce_huge_angles(const Lanes& l, Value* x, const ReducedAngle& ordinary) {
  auto& b = l.b;
  Value* magnitude = l.unary(llvm::Intrinsic::fabs, x);
  Value* large = b.CreateFCmpOGE(magnitude, l.real(x, kHugeAngle));
  Value* huge = b.CreateAnd(large, b.CreateFCmpOLT(magnitude, l.real(x, INFINITY)));
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::Function* function = before->getParent();
  llvm::Function* reduce = reduction(*function->getParent());
  auto* slow = llvm::BasicBlock::Create(b.getContext(), "huge_angles", function);
  auto* after = llvm::BasicBlock::Create(b.getContext(), "angles", function);
  b.CreateCondBr(l.any(huge), slow, after);
  b.SetInsertPoint(slow);
  const ReducedAngle exact = reduce_lanes(l, reduce, b.CreateSelect(huge, x, l.real(x, kHugeAngle)));
  const ReducedAngle mixed{b.CreateSelect(huge, exact.rest, ordinary.rest),
                           b.CreateSelect(huge, exact.quadrant, ordinary.quadrant)};
  b.CreateBr(after);
  b.SetInsertPoint(after);
  auto joined = [&](Value* common, Value* other) {
    llvm::PHINode* phi = b.CreatePHI(common->getType(), 2);
    phi->addIncoming(common, before);
    phi->addIncoming(other, slow);
    return phi;
  };
  return {joined(ordinary.rest, mixed.rest), joined(ordinary.quadrant, mixed.quadrant)};
}

}  // namespace lapis::llvm_backend
