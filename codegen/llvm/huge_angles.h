// Angles too large for a few products with pi: reduced with as many bits of 2/pi as the exponent asks for, one lane at
// a time.
#pragma once

#include "codegen/llvm/lanes.h"

namespace lapis::llvm_backend {

// x = (4 k + quadrant) * pi/2 + rest with |rest| <= pi/4.
struct ReducedAngle {
  llvm::Value *rest, *quadrant;  // doubles; quadrant is 0, 1, 2 or 3
};

constexpr double kHugeAngle = 0x1p50;  // smaller ones are reduced in registers

// `ordinary`, with the lanes replaced where 2^50 <= |x| < infinity. x is a double register.
ReducedAngle reduce_huge_angles(const Lanes& lanes, llvm::Value* x, const ReducedAngle& ordinary);

}  // namespace lapis::llvm_backend
