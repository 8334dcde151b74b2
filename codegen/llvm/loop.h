// Loops as LLVM functions of type abi::StepFn, walked as their Nest says.
#pragma once

#include <string>

#include "codegen/llvm/nest.h"

namespace llvm {
class Module;
}

namespace lapis::llvm_backend {

struct NamedLoop {
  const Loop* loop;
  std::string symbol;
};

// Two loops with equal keys differ only in the buffers they work on.
std::string structure_key(const Loop& loop, const Plan& plan);

// Loops of one structure. Several share one body, called with the addresses of each.
void emit_loops(llvm::Module& module, const std::vector<NamedLoop>& loops, const Nest& nest, const Plan& plan);

}  // namespace lapis::llvm_backend
