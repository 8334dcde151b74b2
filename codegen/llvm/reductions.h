// What a reduction begins with, how it takes one more value, and how partial results become one.
#pragma once

#include "codegen/llvm/flow.h"
#include "codegen/llvm/lanes.h"

namespace lapis::llvm_backend {

// In all lanes.
llvm::Value* neutral(const Lanes& lanes, const Loop::Reduction& reduction);
llvm::Value* fold(const Lanes& lanes, const Loop::Reduction& reduction, llvm::Value* x, llvm::Value* y);
// Pairwise: over the parts, then, if the lanes are summed too, over halves of the vector.
llvm::Value* combined(const Lanes& lanes, const Loop::Reduction& reduction, Values parts, bool across_lanes);

}  // namespace lapis::llvm_backend
