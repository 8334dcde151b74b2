#include "tools/lapis/calibrating.h"

#include "tuning/fixed_inputs.h"

namespace lapis::cli {

Argument add_calibration(Arguments& app, std::string& calibration, ModelFlags& model) {
  app.add_option("--threads", model.threads, "Threads for calibration; 0: one per core")
      .capture_default_str()
      .check(integer_between(0, 1024));
  app.add_option("--backend", model.backend, "What runs the model during calibration")
      .capture_default_str()
      .check(one_of({"jit", "reference"}));
  return app
      .add_option("--calibration", calibration,
                  "Samples: a dataset file (docs/datasets.md), or a .npy array for a model with one input")
      .type_name("DATA");
}

static OpenedRunner opened(const Graph& graph, const ModelFlags& flags) {
  RunnerOptions options;
  options.threads = flags.threads;
  options.model.all_free = flags.backend != "reference";
  if (flags.backend == "reference") options.backend = Backend::Reference;
  return open_graph(graph, options);
}

Result<Calibrating> Calibrating::with(const std::string& data, int64_t samples, Graph& graph, const ModelFlags& flags) {
  LAPIS_TRY(const Dataset whole, load_dataset(data, graph.inputs().empty() ? "" : graph.inputs()[0]->name()));
  LAPIS_TRY(std::vector<std::string> notes, fix_deciding_inputs(graph, whole));
  LAPIS_TRY(const Dataset chosen,
            calibration_samples(fitted(whole, graph), samples, [&] { return opened(graph, flags); }));
  return Calibrating(chosen, std::move(notes),
                     flags.backend == "reference" ? reference_evaluator() : jit_evaluator(flags.threads));
}

void Calibrating::serve(PassContext& context) const {
  context.evaluator = evaluator_.get();
  context.progress = progress_bar("calibrating");
  context.samples = samples_of(data_);
}

}  // namespace lapis::cli
