// Emission: a finished Plan becomes one CodeImage, a function per step. Contractions by xbyak, everything else by LLVM.
#pragma once

#include "base/result.h"
#include "codegen/plan.h"

namespace lapis::codegen {

// Symbols are in step order and named after the step: "s12_conv_relu_3".
Result<CodeImage> emit(const Plan& plan);

}  // namespace lapis::codegen
