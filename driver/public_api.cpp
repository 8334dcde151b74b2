// include/lapis/compile.h over the driver.
#define LAPIS_IMPLEMENTATION
#include "lapis/compile.h"

#include "driver/family.h"
#include "frontends/public_translators.h"
#include "ir/infer.h"
#include "runtime/artifact.h"
#include "runtime/public_api.h"

namespace lapis::v1 {

static ModelOptions model_options(const CompileOptions& options) {
  ModelOptions bound;
  bound.dims = options.dims;
  for (const auto& [name, shape] : options.shapes) bound.shapes[name] = shape;
  for (const auto& [name, range] : options.ranges) bound.free.insert(name);
  bound.translators = own_translators(options.translators);
  return bound;
}

static lapis::CompileOptions driver_options(const CompileOptions& options) {
  lapis::CompileOptions result;
  if (!options.code_cache.empty()) result.caches = std::make_shared<Caches>(options.code_cache);
  return result;
}

static lapis::Result<std::vector<Program>> compile_fixed(const Graph& graph, const CompileOptions& options,
                                                         const std::vector<Target>& targets) {
  LAPIS_TRY(std::vector<Compiled> variants, compile_variants(graph, targets, driver_options(options)));
  std::vector<Program> programs;
  programs.reserve(variants.size());
  for (Compiled& c : variants) programs.push_back(std::move(c.program));
  return programs;
}

// The strongest of the targets that this host has; with one, that one.
static Target target_here(const std::vector<Target>& targets) {
  const Target* best = &targets.front();
  for (const Target& t : targets)
    if (Target::host().contains(t) && (!Target::host().contains(*best) || t.bits() > best->bits())) best = &t;
  return *best;
}

static lapis::Result<std::shared_ptr<Executable::Impl>> compile_free(const Graph& graph, const CompileOptions& options,
                                                                     const std::vector<Target>& targets) {
  ExtentRanges ranges;
  for (const auto& [name, range] : options.ranges) ranges[name] = {range.lowest, range.highest};
  lapis::CompileOptions compile_options = driver_options(options);
  compile_options.target = target_here(targets);
  LAPIS_TRY(std::shared_ptr<ModelFamily> family, ModelFamily::make(graph, std::move(ranges), compile_options));
  return make_impl(std::move(family), compile_options.target.to_string());
}

static lapis::Result<std::shared_ptr<Executable::Impl>> compile_here(const std::filesystem::path& model,
                                                                     const CompileOptions& options) {
  LAPIS_TRY(const std::vector<Target> targets, parse_targets(options.target));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load_model(model, model_options(options)));
  const auto located = [&](auto result) { return in_file(std::move(result), model, graph->name()); };
  if (!options.ranges.empty() || !free_symbols(*graph).empty()) return located(compile_free(*graph, options, targets));
  LAPIS_TRY(std::vector<Program> programs, located(compile_fixed(*graph, options, targets)));
  LAPIS_TRY(Program program, best_variant(std::move(programs)));
  LAPIS_TRY(lapis::Executable executable, lapis::Executable::from(std::move(program)));
  return make_impl(std::move(executable));
}

Result<Executable> compile(const std::filesystem::path& model, const CompileOptions& options) {
  return at_the_edge([&]() -> Result<Executable> { return make_public(compile_here(model, options)); });
}

static Status compile_to_file(const std::filesystem::path& artifact, const std::filesystem::path& model,
                              const CompileOptions& options) {
  LAPIS_CHECK(check_writable(artifact));
  LAPIS_TRY(const std::vector<Target> targets, parse_targets(options.target));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load_model(model, model_options(options)));
  LAPIS_TRY(const std::vector<Program> programs,
            in_file(compile_fixed(*graph, options, targets), model, graph->name()));
  return save_artifact(programs, artifact);
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
