// include/lapis/compile.h over the driver.
#define LAPIS_IMPLEMENTATION
#include "lapis/compile.h"

#include "base/guard.h"
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
  return lapis::compile(*graph, std::move(compile_options));
}

Result<Executable> compile(const std::filesystem::path& model, const CompileOptions& options) {
  lapis::Result<Compiled> compiled = guarded([&] { return compile_model(model, options); });
  if (!compiled.ok()) return to_public(compiled.diagnostics());
  return make_public(lapis::Executable::from(std::move(compiled->program)));
}

Result<std::filesystem::path> compile_to(const std::filesystem::path& artifact, const std::filesystem::path& model,
                                         const CompileOptions& options) {
  const lapis::Result<Compiled> compiled = guarded([&] { return compile_model(model, options); });
  if (!compiled.ok()) return to_public(compiled.diagnostics());
  const Status saved = save_artifact(compiled->program, artifact);
  if (!saved.ok()) return to_public(saved.diagnostics());
  return artifact;
}

}  // namespace lapis::v1
