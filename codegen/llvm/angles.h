// Sine, cosine and tangent, which reduce their angles by code, and the remainder of floats, which is a loop. All other
// elementary functions are scalar programs (codegen/scalar/expand.h).
#pragma once

#include "codegen/llvm/lanes.h"

namespace lapis::llvm_backend {

// Op::Sin, Op::Cos or Op::Tan of a float or double register;
// in double, so that a float is rounded correctly whatever the size of x.
llvm::Value* emit_trigonometry(const Lanes& lanes, Op op, llvm::Value* x);
llvm::Value* emit_fmod(const Lanes& lanes, llvm::Value* x, llvm::Value* y);  // sign of x; exact

}  // namespace lapis::llvm_backend
