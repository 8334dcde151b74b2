// From a module to an object file in memory: the target machine, the (short) pass pipeline, the code generator.
#pragma once

#include <memory>
#include <string>

#include "base/target.h"

namespace llvm {
class Module;
class TargetMachine;
template <typename T> class SmallVectorImpl;
}  // namespace llvm

namespace lapis::llvm_backend {

std::string version();                          // of the library that this process has
std::string features_of(const Target& target);  // in LLVM's notation
std::unique_ptr<llvm::TargetMachine> create_machine(const Target& target);
std::unique_ptr<llvm::TargetMachine>
create_baseline_machine();  // plain x86-64, for code that runs before anything was checked
void optimize(llvm::Module& module, llvm::TargetMachine& machine);
void emit_object(llvm::Module& module, llvm::TargetMachine& machine, llvm::SmallVectorImpl<char>& object);

}  // namespace lapis::llvm_backend
