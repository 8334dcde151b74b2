// Loops as LLVM functions of type abi::StepFn, walked as their Nest says.
#pragma once

#include <string>

#include "codegen/llvm/nest.h"
#include "codegen/step_code.h"

namespace llvm {
class Module;
}

namespace lapis::llvm_backend {

// All that the code of a loop depends on: its nest and programs, not its buffers,
// nor how many rows and units there are.
std::string structure_key(const Loop& loop, const Nest& nest, const Plan& plan);
// The words of its block.
std::vector<abi::Argument> arguments_of(const Loop& loop, const Nest& nest, const Plan& plan);
// Adds the function `symbol` to the module.
void emit_loop(llvm::Module& module, const std::string& symbol, const Loop& loop, const Nest& nest, const Plan& plan);

}  // namespace lapis::llvm_backend
