// One Loop as one LLVM function, walked as its Nest says.
#pragma once

#include <string>

#include "codegen/llvm/nest.h"

namespace llvm {
class Module;
}

namespace lapis::llvm_backend {

void emit_loop(llvm::Module& module, const std::string& symbol, const Loop& loop, const Nest& nest, const Plan& plan);

}  // namespace lapis::llvm_backend
