// Emission: a finished Plan becomes one CodeImage. Contractions by xbyak, everything else by LLVM.
// Steps of equal structure share a function.
#pragma once

#include "base/result.h"
#include "codegen/code_cache.h"

namespace lapis::codegen {

// Symbols are in step order and named after the step: "s12_conv_relu_3".
// Only structures that `cache` does not know are emitted.
Result<CodeImage> emit(const Plan& plan, CodeCache& cache);
Result<CodeImage> emit(const Plan& plan);  // all of them

// Code of the loops that have a form (codegen/forms.h), for other shapes to find it in the cache.
Status emit_forms(const Plan& plan, CodeCache& cache);

}  // namespace lapis::codegen
