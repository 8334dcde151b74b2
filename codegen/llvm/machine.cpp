#include "codegen/llvm/machine.h"

#include <llvm-c/Core.h>
#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>

#include <new>

#include "base/check.h"
#include "codegen/llvm/fragile.h"

namespace lapis::llvm_backend {
namespace {

constexpr const char* kTriple = "x86_64-unknown-linux-gnu";

const llvm::Target& x86() {
  static const llvm::Target* target = [] {
    // Where LLVM would end the process. Exceptions pass through it, see Fragile.
    llvm::install_bad_alloc_error_handler([](void*, const char*, bool) { throw std::bad_alloc(); });
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    std::string message;
    const llvm::Target* found = llvm::TargetRegistry::lookupTarget(kTriple, message);
    LAPIS_ASSERT(found != nullptr, "this LLVM cannot generate x86-64 code: " << message);
    return found;
  }();
  return *target;
}

}  // namespace

std::string version() {
  unsigned major = 0, minor = 0, patch = 0;
  LLVMGetVersion(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::string features_of(const Target& target) {
  std::string features;
  for (const IsaRow& row : kIsas)
    if (target.has(row.isa) && !row.llvm.empty()) features += (features.empty() ? "" : ",") + std::string(row.llvm);
  return features;
}

static std::unique_ptr<llvm::TargetMachine> machine_with(const std::string& features) {
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // one rounding an operation
  return std::unique_ptr<llvm::TargetMachine>(x86().createTargetMachine(
      kTriple, "x86-64", features, options, llvm::Reloc::PIC_, llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

std::unique_ptr<llvm::TargetMachine> create_machine(const Target& target) { return machine_with(features_of(target)); }
std::unique_ptr<llvm::TargetMachine> create_baseline_machine() { return machine_with(""); }

// The IR is born vectorised and in order; what is left is to share equal addresses
// and loads and to hoist what does not vary.
void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  const Fragile<llvm::LoopAnalysisManager> loops;
  const Fragile<llvm::FunctionAnalysisManager> functions;
  const Fragile<llvm::CGSCCAnalysisManager> components;
  const Fragile<llvm::ModuleAnalysisManager> modules;
  const Fragile<llvm::PassBuilder> builder(&machine);
  builder->registerModuleAnalyses(*modules);
  builder->registerCGSCCAnalyses(*components);
  builder->registerFunctionAnalyses(*functions);
  builder->registerLoopAnalyses(*loops);
  builder->crossRegisterProxies(*loops, *functions, *components, *modules);
  const Fragile<llvm::FunctionPassManager> passes;
  passes->addPass(llvm::EarlyCSEPass(true));
  passes->addPass(llvm::InstCombinePass(llvm::InstCombineOptions().setVerifyFixpoint(false)));
  passes->addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), true));
  passes->addPass(llvm::EarlyCSEPass(false));
  for (llvm::Function& f : module)
    if (!f.isDeclaration()) passes->run(f, *functions);
}

void emit_object(llvm::Module& module, llvm::TargetMachine& machine, llvm::SmallVectorImpl<char>& object) {
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  LAPIS_ASSERT(!llvm::verifyModule(module, &problems), "invalid LLVM IR was generated: " << problems.str());
  llvm::raw_svector_ostream out(object);
  const Fragile<llvm::legacy::PassManager> passes;
  const bool impossible = machine.addPassesToEmitFile(*passes, out, nullptr, llvm::CodeGenFileType::ObjectFile);
  LAPIS_ASSERT(!impossible, "this LLVM cannot write object files");
  passes->run(module);
}

}  // namespace lapis::llvm_backend
