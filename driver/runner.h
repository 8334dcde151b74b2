// Runner: any model that can be run here, whatever it is:
// a model compiled now, an artifact compiled before, or the reference evaluator.
#pragma once

#include "driver/compile.h"
#include "runtime/executable.h"

namespace lapis {

enum class Backend {
  Jit,                   // generated code
  Reference,             // the reference evaluator on the model as it was imported: no pass has touched it
  ReferenceAfterPasses,  // the reference evaluator on what the compile pipeline makes: the bytes of generated code
};

enum class ModelKind { Model, Artifact };

// What a file is taken for. An artifact is machine code, so its name must say so (.lapis) unless artifacts of any name
// are welcome: a model.onnx from somewhere that is an artifact inside is refused, not run.
Result<ModelKind> model_kind(const Path& file, bool any_name = false);

struct RunnerOptions {
  ModelOptions model;
  bool artifact_of_any_name = false;  // for model_kind
  Backend backend = Backend::Jit;
  Target target = Target::host();
  codegen::Schedules schedules;  // of the contractions of a model compiled now
  int threads = 1;
  bool profile = false;
  std::shared_ptr<Caches> caches = process_caches();
  bool perf_map = false;  // name the generated functions for `perf report`
};

class Runner {
 public:
  virtual ~Runner() = default;
  // Extents that are free are kFree (runtime/flexible.h).
  virtual const std::vector<IoInfo>& inputs() const = 0;
  virtual const std::vector<IoInfo>& outputs() const = 0;
  // In the order of inputs() and outputs().
  virtual Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) = 0;
  // Makes what inputs of these shapes need, so that the first run takes no longer than others.
  virtual Status prepare(const std::vector<Tensor>&) { return ok(); }
  virtual Session* session() { return nullptr; }  // of generated code: profile, zero-copy runs
};

// `file` is a model of any format or an artifact (see model_kind).
Result<std::unique_ptr<Runner>> open_model(const Path& file, const RunnerOptions& options = {});
// Symbols without a value are an error, unless options.model.all_free: then code takes any in each run.
Result<std::unique_ptr<Runner>> open_graph(const Graph& graph, const RunnerOptions& options = {});
// The same, compiled once, for so many callers that run at the same time.
Result<std::vector<std::unique_ptr<Runner>>> open_graph(const Graph& graph, const RunnerOptions& options, int callers);
Result<std::unique_ptr<Runner>> open_program(Program program, const RunnerOptions& options = {});

// Feeds by name in the order of `wanted`; missing, unknown and ill-fitting ones are all reported.
Result<std::vector<Tensor>> ordered(const Feeds& feeds, const std::vector<IoInfo>& wanted);

}  // namespace lapis
