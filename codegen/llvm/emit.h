// LLVM loops: every Loop of a Plan becomes one function of type abi::StepFn.
// LLVM itself stays inside codegen/llvm/*.cpp.
#pragma once

#include "base/result.h"
#include "codegen/step_code.h"

namespace lapis::llvm_backend {

// The code is compiled for plan.target in a module of its own and linked without relocations: no calls out (no libm, no
// memset), constants behind it. ErrorKind::Unsupported for element types without arithmetic (packed and 8-bit floats)
// and Erf of double; ErrorKind::Target below AVX2.
Result<codegen::StepCode> step_code(const Loop& loop, const Plan& plan);

}  // namespace lapis::llvm_backend
