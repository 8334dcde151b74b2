// include/lapis/compile.h over the driver.
#define LAPIS_IMPLEMENTATION
#include "lapis/compile.h"

#include "driver/compile.h"
#include "runtime/artifact.h"
#include "runtime/public_api.h"

namespace lapis::v1 {

static lapis::Result<std::vector<Compiled>> compile_model(const std::filesystem::path& model,
                                                          const CompileOptions& options) {
  LAPIS_TRY(const std::vector<Target> targets, parse_targets(options.target));
  ModelOptions model_options;
  model_options.dims = options.dims;
  for (const auto& [name, shape] : options.shapes) model_options.shapes[name] = shape;
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load_model(model, model_options));
  lapis::Result<std::vector<Compiled>> compiled = compile_variants(*graph, targets);
  if (!compiled.ok()) return in_file(std::move(compiled).diagnostics(), model, graph->name());
  return compiled;
}

static std::vector<Program> programs_of(std::vector<Compiled> variants) {
  std::vector<Program> programs;
  for (Compiled& c : variants) programs.push_back(std::move(c.program));
  return programs;
}

static lapis::Result<lapis::Executable> compile_here(const std::filesystem::path& model,
                                                     const CompileOptions& options) {
  LAPIS_TRY(std::vector<Compiled> variants, compile_model(model, options));
  LAPIS_TRY(Program program, best_variant(programs_of(std::move(variants))));
  return lapis::Executable::from(std::move(program));
}

Result<Executable> compile(const std::filesystem::path& model, const CompileOptions& options) {
  return at_the_edge([&]() -> Result<Executable> { return make_public(compile_here(model, options)); });
}

static Status compile_to_file(const std::filesystem::path& artifact, const std::filesystem::path& model,
                              const CompileOptions& options) {
  LAPIS_CHECK(check_writable(artifact));
  LAPIS_TRY(std::vector<Compiled> variants, compile_model(model, options));
  return save_artifact(programs_of(std::move(variants)), artifact);
}

Result<std::filesystem::path> compile_to(const std::filesystem::path& artifact, const std::filesystem::path& model,
                                         const CompileOptions& options) {
  return at_the_edge([&]() -> Result<std::filesystem::path> {
    const Status saved = compile_to_file(artifact, model, options);
    if (!saved.ok()) return to_public(saved.diagnostics());
    return artifact;
  });
}

}  // namespace lapis::v1
