#include "codegen/llvm/emit.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <map>
#include <string_view>
#include <unordered_map>

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

}  // namespace

Result<CodeImage> emit(const std::vector<LoopRef>& loops, const Plan& plan) {
  if (!plan.target.has(Isa::Avx2))
    return error(ErrorKind::Target, "loops need AVX2, but the target is " + plan.target.to_string())
        .help("compile with --target=x86-64+avx2 or above");
  for (const LoopRef& ref : loops) LAPIS_CHECK(check(*ref.loop));
  const Fragile<llvm::LLVMContext> context;
  const Fragile<llvm::Module> owned_module("loops", *context);
  const Fragile<std::unique_ptr<llvm::TargetMachine>> owned_machine(create_machine(plan.target));
  llvm::Module& module = *owned_module;
  llvm::TargetMachine& machine = **owned_machine;
  module.setDataLayout(machine.createDataLayout());
  module.setTargetTriple(machine.getTargetTriple().str());
  std::map<std::string, std::vector<NamedLoop>> structures;
  std::map<std::string, int64_t> units;
  for (const LoopRef& ref : loops) structures[structure_key(*ref.loop, plan)].push_back({ref.loop, ref.symbol});
  for (const auto& [key, alike] : structures) {
    const Nest nest = plan_nest(*alike[0].loop, plan.target.vector_bytes());
    emit_loops(module, alike, nest, plan);
    for (const NamedLoop& step : alike) units[step.symbol] = nest.units;
  }
  optimize(module, machine);
  llvm::SmallVector<char, 0> object;
  emit_object(module, machine, object);

  CodeImage image = link_image({object.data(), object.size()});
  std::unordered_map<std::string_view, const CodeImage::Symbol*> symbols;
  for (const CodeImage::Symbol& s : image.symbols) symbols.emplace(s.name, &s);
  std::vector<CodeImage::Symbol> ordered;
  for (const LoopRef& ref : loops) {
    LAPIS_ASSERT(symbols.contains(ref.symbol), "no code for " << ref.symbol);
    ordered.push_back(*symbols.at(ref.symbol));
    ordered.back().units = units.at(ref.symbol);
  }
  image.symbols = std::move(ordered);
  return image;
}

}  // namespace lapis::llvm_backend
