#include "codegen/llvm/emit.h"

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

std::vector<uint8_t> compile(const Loop& loop, const Nest& nest, const Plan& plan) {
  const Fragile<llvm::LLVMContext> context;
  const Fragile<llvm::Module> owned_module("loops", *context);
  const Fragile<std::unique_ptr<llvm::TargetMachine>> owned_machine(create_machine(plan.target));
  llvm::Module& module = *owned_module;
  llvm::TargetMachine& machine = **owned_machine;
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
