// Options that several verbs share, and what they turn into.
#pragma once

#include "driver/runner.h"
#include "frontends/frontend.h"
#include "tools/lapis/terminal.h"
#include "tools/lapis/verb.h"
#include "tuning/evaluate.h"

namespace lapis::cli {

// MODEL --dim N=1 --shape x=1x3x8x8 --value sr=16000 --inputs a,b --outputs c --signature S --target T --schedules FILE
// --threads N --backend jit|reference|reference-after-passes
struct ModelFlags {
  std::string model, target = "host", backend = "jit", schedules, code_cache;
  std::vector<std::string> dims, shapes, values;
  ImportOptions part;  // --inputs, --outputs, --signature
  int threads = 1;
  bool perf_map = false, artifact = false;

  enum class Takes { Models, ArtifactsToo };
  Argument add_model(Arguments& app,
                     Takes takes = Takes::Models);  // the positional argument (returned) and the shape flags
  void add_running(Arguments& app);                 // target, threads, backend
  void add_schedules(Arguments& app);
  Result<codegen::Schedules> read_schedules() const;  // none if the flag is not given
  void add_code_cache(Arguments& app);                // of add_running too
  std::shared_ptr<Caches> caches() const;
  Result<ModelOptions> model_options() const;
  Result<RunnerOptions> runner_options() const;

  // Imports `file`, checks that --dim, --shape and --value name what it has,
  // and fixes its shapes where they are given or `options` has any.
  Result<std::unique_ptr<Graph>> import(const Path& file, const ModelOptions& options) const;
  // The same, and a batch becomes 1, unless `options` says that all stay free.
  Result<std::unique_ptr<Graph>> load(const Path& file, const ModelOptions& options) const;
  // A model compiled now, or an artifact.
  Result<std::unique_ptr<Runner>> open(const Path& file, const RunnerOptions& options) const;
  Status check_artifact(const Path& file) const;  // flags that do nothing for one are errors
};

Result<Dataset> load_dataset(const std::string& path, const std::string& first_input);

// --input NAME=FILE.npy, repeatable.
Result<Feeds> read_feeds(const std::vector<std::string>& inputs);
// Inputs that were given fix the shapes of a model with symbolic dimensions.
void bind_to(const Feeds& feeds, ModelOptions& options);

double percentile(std::vector<double> values, double p);

}  // namespace lapis::cli
