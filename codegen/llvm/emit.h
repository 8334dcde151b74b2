// LLVM loops: every Loop of a Plan becomes one function of type abi::StepFn. LLVM itself stays inside codegen/llvm/*.cpp.
#pragma once

#include "base/result.h"
#include "codegen/plan.h"

namespace lapis::llvm_backend {

struct LoopRef { const Loop* loop; std::string symbol; };

// Compiles all loops in one module for plan.target and links it into one position-independent image without relocations: no calls out
// (no libm, no memset), constants inside the image. Symbols in the order of `loops`; Symbol::units says how many work units each has.
Result<CodeImage> emit(const std::vector<LoopRef>& loops, const Plan& plan);

}  // namespace lapis::llvm_backend
