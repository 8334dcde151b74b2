// include/lapis/compile.h over the driver.
#define LAPIS_IMPLEMENTATION
#include "lapis/compile.h"

#include "driver/compile.h"
#include "runtime/artifact.h"
#include "runtime/public_api.h"

namespace lapis::v1 {

static lapis::Result<lapis::Compiled> compile_model(const std::filesystem::path& model, const CompileOptions& options) {
  lapis::CompileOptions compile_options;
  LAPIS_TRY(compile_options.target, Target::parse(options.target));
  ModelOptions model_options;
  model_options.dims = options.dims;
  for (const auto& [name, shape] : options.shapes) model_options.shapes[name] = shape;
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load_model(model, model_options));
  lapis::Result<lapis::Compiled> compiled = lapis::compile(*graph, std::move(compile_options));
  if (!compiled.ok()) return in_file(std::move(compiled).diagnostics(), model, graph->name());
  return compiled;
}

Result<Executable> compile(const std::filesystem::path& model, const CompileOptions& options) {
  return at_the_edge([&]() -> Result<Executable> {
    lapis::Result<Compiled> compiled = compile_model(model, options);
    if (!compiled.ok()) return to_public(compiled.diagnostics());
    return make_public(lapis::Executable::from(std::move(compiled->program)));
  });
}

static Status compile_to_file(const std::filesystem::path& artifact, const std::filesystem::path& model,
                              const CompileOptions& options) {
  LAPIS_CHECK(check_writable(artifact));
  LAPIS_TRY(const Compiled compiled, compile_model(model, options));
  return save_artifact(compiled.program, artifact);
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
