#include "codegen/llvm/emit.h"

#include <exception>
#include <utility>

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "codegen/llvm/fragile.h"
#include "codegen/llvm/link.h"
#include "codegen/llvm/loop.h"
#include "codegen/llvm/machine.h"
#include "codegen/llvm/ops.h"

namespace lapis::llvm_backend {
namespace {

std::string refuse(const Loop& loop) {
  for (const View& v : loop.views)
    if (std::string reason = refuse_type(v.dtype); !reason.empty()) return reason;
  for (const Loop::Phase& phase : loop.phases)
    for (const Instr& i : phase.body) {
      std::array<DType, 3> types = {};
      for (size_t a = 0; a < 3; ++a)
        if (i.args[a] >= 0) types[a] = phase.body[static_cast<size_t>(i.args[a])].type;
      if (std::string reason = refuse_op(i, types); !reason.empty()) return reason;
    }
  return {};
}

Status check(const Loop& loop) {
  const std::string reason = refuse(loop);
  if (reason.empty()) return ok();
  return error(ErrorKind::Unsupported, "cannot compile " + reason)
      .at("loop '" + loop.name + "'")
      .help("`lapis run --backend=reference` evaluates the model without compiling it");
}

constexpr const char* kSymbol = "loop";

// To make a machine and its tables takes a sixth of what a small loop takes, so each thread keeps the last one.
struct Spare {
  std::string features;
  std::unique_ptr<llvm::TargetMachine> machine;
};
thread_local Spare spare;

// Out of reach while it is used: one that an exception passed through is not used again (codegen/llvm/fragile.h).
class Machine {
 public:
  explicit Machine(const Target& target) : features_(features_of(target)) {
    machine_ = spare.features == features_ ? std::move(spare.machine) : nullptr;
    if (!machine_) machine_ = create_machine(target);
  }
  ~Machine() {
    if (std::uncaught_exceptions() == exceptions_)
      spare = {std::move(features_), std::move(machine_)};
    else
      static_cast<void>(machine_.release());
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  llvm::TargetMachine& operator*() const { return *machine_; }

 private:
  const int exceptions_ = std::uncaught_exceptions();
  std::string features_;
  std::unique_ptr<llvm::TargetMachine> machine_;
};

std::vector<uint8_t> compile(const Loop& loop, const Nest& nest, const Plan& plan) {
  const Machine lent(plan.target);
  llvm::TargetMachine& machine = *lent;
  const Fragile<llvm::LLVMContext> context;
  const Fragile<llvm::Module> owned_module("loops", *context);
  llvm::Module& module = *owned_module;
  module.setDataLayout(machine.createDataLayout());
  module.setTargetTriple(machine.getTargetTriple().str());
  emit_loop(module, kSymbol, loop, nest, plan);
  optimize(module, machine);
  llvm::SmallVector<char, 0> object;
  emit_object(module, machine, object);
  return link_function({object.data(), object.size()}, kSymbol);
}

}  // namespace

Result<codegen::StepCode> step_code(const Loop& loop, const Plan& plan) {
  if (!plan.target.has(Isa::Avx2))
    return error(ErrorKind::Target, "loops need AVX2, but the target is " + plan.target.to_string())
        .help("compile with --target=x86-64+avx2 or above");
  LAPIS_CHECK(check(loop));
  Nest nest = plan_nest(loop, plan.target.vector_bytes());
  codegen::StepCode code{structure_key(loop, nest, plan), nest.units, arguments_of(loop, nest, plan), {}};
  code.emit = [&loop, &plan, nest = std::move(nest)] { return compile(loop, nest, plan); };
  return code;
}

}  // namespace lapis::llvm_backend
