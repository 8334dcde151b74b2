#include "codegen/llvm/reductions.h"

#include <llvm/IR/IRBuilder.h>

#include <utility>

#include "base/check.h"

namespace lapis::llvm_backend {

using llvm::Value;

// What every value of the type is at least, or at most, as large as.
static Value* extreme(const Loop::Reduction& r, llvm::Type* type) {
  const bool max = r.kind == Loop::Reduce::Max;
  if (is_float(r.type)) return llvm::ConstantFP::getInfinity(type, max);
  const auto bits = type->getIntegerBitWidth();
  if (is_unsigned(r.type) || r.type == DType::Bool)
    return llvm::ConstantInt::get(type, max ? llvm::APInt::getMinValue(bits) : llvm::APInt::getMaxValue(bits));
  return llvm::ConstantInt::get(type,
                                max ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt::getSignedMaxValue(bits));
}

Value* neutral(const Lanes& lanes, const Loop::Reduction& r) {
  llvm::Type* type = lanes.register_type(r.type);
  Value* value = nullptr;
  const bool real = is_float(r.type);
  switch (r.kind) {
    case Loop::Reduce::Sum: value = llvm::Constant::getNullValue(type); break;
    case Loop::Reduce::Prod: value = real ? llvm::ConstantFP::get(type, 1) : llvm::ConstantInt::get(type, 1); break;
    case Loop::Reduce::Max:
    case Loop::Reduce::Min: value = extreme(r, type); break;
  }
  return lanes.splat(value);
}

Value* fold(const Lanes& lanes, const Loop::Reduction& r, Value* x, Value* y) {
  auto& b = lanes.b;
  const bool real = is_float(r.type);
  switch (r.kind) {
    case Loop::Reduce::Sum: return real ? b.CreateFAdd(x, y) : b.CreateAdd(x, y);
    case Loop::Reduce::Prod: return real ? b.CreateFMul(x, y) : b.CreateMul(x, y);
    case Loop::Reduce::Max: return lanes.maximum(x, y, r.type);
    case Loop::Reduce::Min: return lanes.minimum(x, y, r.type);
  }
  LAPIS_UNREACHABLE("no such reduction");
}

static Value* over_lanes(const Lanes& lanes, const Loop::Reduction& r, Value* v) {
  for (int half = lanes.width() / 2; half >= 1; half /= 2) {
    std::vector<int> low, high;
    for (int i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(i + half);
    }
    Value* lower = lanes.b.CreateShuffleVector(v, low);
    v = fold(lanes, r, lower, lanes.b.CreateShuffleVector(v, high));
  }
  return lanes.b.CreateExtractElement(v, uint64_t{0});
}

Value* combined(const Lanes& lanes, const Loop::Reduction& r, Values parts, bool across_lanes) {
  while (parts.size() > 1) {
    Values next;
    for (size_t i = 0; i + 1 < parts.size(); i += 2) next.push_back(fold(lanes, r, parts[i], parts[i + 1]));
    if (parts.size() % 2) next.push_back(parts.back());
    parts = std::move(next);
  }
  Value* v = parts[0];
  if (across_lanes && Lanes::is_vector(v)) v = over_lanes(lanes, r, v);
  return lanes.rounded(v, r.type);
}

}  // namespace lapis::llvm_backend
