// LLVM loops: every Loop of a Plan becomes one function of type abi::StepFn. LLVM itself stays inside codegen/llvm/*.cpp.
#pragma once

#include "base/result.h"
#include "codegen/plan.h"

namespace lapis::llvm_backend {

struct LoopRef {
  const Loop* loop;
  std::string symbol;
};

// Compiles all loops in one module for plan.target and links it into one position-independent image without relocations: no calls out
// (no libm, no memset), constants inside the image. Symbols in the order of `loops`; Symbol::units says how many work units each has.
// Loops that differ only in their buffers share one body inside the image. ErrorKind::Unsupported for element types without arithmetic
// (packed and 8-bit floats) and Erf of double; ErrorKind::Target below AVX2.
Result<CodeImage> emit(const std::vector<LoopRef>& loops, const Plan& plan);

}  // namespace lapis::llvm_backend
