#include "codegen/object/object.h"

#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Target/TargetMachine.h>

#include <cctype>

#include "codegen/llvm/fragile.h"
#include "codegen/llvm/machine.h"
#include "codegen/object/header.h"
#include "codegen/object/object_ir.h"
#include "codegen/object/routine_assembly.h"
#include "codegen/object/steps_ir.h"
#include "runtime/abi.h"

namespace lapis {
namespace {

bool is_identifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (const unsigned char c : name)
    if (!(c < 128 && (std::isalnum(c) || c == '_'))) return false;
  return true;
}

// Hidden: other files of the program cannot see or clash with it.
void add_bytes(llvm::Module& module, const std::string& name, std::vector<uint8_t> content) {
  llvm::GlobalVariable* declared = module.getNamedGlobal(name);
  if (content.empty()) content.push_back(0);
  auto* bytes = llvm::ConstantDataArray::get(module.getContext(), llvm::ArrayRef<uint8_t>(content));
  auto* defined = new llvm::GlobalVariable(module, bytes->getType(), true, llvm::GlobalValue::InternalLinkage, bytes);
  defined->setAlignment(llvm::Align(abi::kAlignment));
  declared->replaceAllUsesWith(defined);
  defined->takeName(declared);
  declared->eraseFromParent();
}

std::vector<uint8_t> flat(const Parts& weights) {
  std::vector<uint8_t> bytes(weights.size());
  weights.copy(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

llvm::SmallVector<char, 0> object_bytes(const Plan& plan, const CodeImage& image, const ObjectOptions& options) {
  using llvm_backend::Fragile;
  const Fragile<llvm::LLVMContext> context;
  llvm::SMDiagnostic problem;
  const std::string ir = api_ir(plan, image, options);
  const Fragile<std::unique_ptr<llvm::TargetMachine>> machine(llvm_backend::create_baseline_machine());
  const Fragile<std::unique_ptr<llvm::Module>> module(llvm::parseAssemblyString(ir, problem, *context));
  LAPIS_ASSERT(*module != nullptr, "the object's API is invalid IR: " << problem.getMessage().str() << " in line "
                                                                      << problem.getLineNo() << ": "
                                                                      << problem.getLineContents().str());
  (*module)->setDataLayout((*machine)->createDataLayout());
  (*module)->setTargetTriple((*machine)->getTargetTriple().str());
  std::string assembly = code_assembly(image, options);
  for (const std::string& routine : routines_of(plan)) assembly += *routine_assembly(routine, options.name);
  (*module)->setModuleInlineAsm(assembly);
  add_bytes(**module, options.name + "_constants", plan.constants);
  add_bytes(**module, options.name + "_weights", flat(plan.weights));
  llvm::SmallVector<char, 0> object;
  llvm_backend::emit_object(**module, **machine, object);
  return object;
}

// Who computes a region if no object can hold it, and what helps.
// Routines are embedded; the reference evaluator and libraries are not.
struct Foreign {
  std::string who, help;
};
std::optional<Foreign> foreign(const Region& region) {
  const std::string cut = "run the model with `lapis run`, or cut it there";
  if (const auto* call = std::get_if<Call>(&region)) {
    if (call->host) return Foreign{"the reference evaluator", cut};
    if (!routine_assembly(call->routine, "x")) return Foreign{"the routine '" + call->routine + "'", cut};
  }
  if (const auto* c = std::get_if<Contraction>(&region); c && c->library)
    return Foreign{c->library->kernel + ", a library of the process", "leave that kernel out of the model's schedules"};
  return std::nullopt;
}

Status check_calls(const Plan& plan) {
  Diagnostics found;
  for (const Step& step : plan.steps)
    if (const auto f = foreign(step.region))
      found.push_back(error(ErrorKind::Unsupported, "'" + name_of(step.region) + "' (" + step.op + ") is computed by " +
                                                        f->who + ", which an object file cannot hold")
                          .help(f->help));
    else if (const auto* repeat = std::get_if<Repeat>(&step.region); repeat && repeat->only_declared)
      found.push_back(error(ErrorKind::Unsupported, "'" + repeat->name + "' (" + step.op +
                                                        ") may run more or less often than the length of what it "
                                                        "collects, which the model only declares, and an object "
                                                        "file does not count")
                          .help("make the trip count a constant, or an artifact, which counts"));
  return status_of(std::move(found));
}

}  // namespace

int64_t object_arena_bytes(const Plan& plan) {
  return (plan.arena_bytes + abi::kAlignment - 1) / abi::kAlignment * abi::kAlignment + abi::kAlignment;
}

Result<ObjectFiles> write_object(const Plan& plan, const CodeImage& image, const ObjectOptions& options) {
  if (!is_identifier(options.name))
    return error(ErrorKind::Usage, "'" + options.name + "' cannot prefix C symbols")
        .help("use letters, digits and underscores, not starting with a digit");
  LAPIS_CHECK(check_calls(plan));
  LAPIS_ASSERT(image.symbols.size() == plan.steps.size(), "one function a step");
  const auto object = object_bytes(plan, image, options);
  const ObjectFiles files{options.directory / (options.name + ".o"), options.directory / (options.name + ".h")};
  const std::string header = header_text(plan, options);
  const FileContent pair[] = {{files.object, {std::as_bytes(std::span(object.data(), object.size()))}},
                              {files.header, {std::as_bytes(std::span(header))}}};
  LAPIS_CHECK(write_files(pair));
  return files;
}

}  // namespace lapis
