#include "tools/lapis/calibrating.h"

namespace lapis::cli {

CLI::Option* add_calibration(CLI::App& app, std::string& calibration, ModelFlags& model) {
  app.add_option("--threads", model.threads, "Threads for calibration; 0: one per core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.add_option("--backend", model.backend, "What runs the model during calibration")
      ->capture_default_str()
      ->check(CLI::IsMember({"jit", "reference"}));
  return app
      .add_option("--calibration", calibration,
                  "Samples: a dataset file (docs/datasets.md), or a .npy array for a model with one input")
      ->type_name("DATA");
}

Result<Calibrating> Calibrating::with(const std::string& data, int64_t samples, const Graph& graph,
                                      const ModelFlags& flags) {
  LAPIS_TRY(const Dataset whole, load_dataset(data, graph.inputs().empty() ? "" : graph.inputs()[0]->name()));
  return Calibrating(whole.calibration().limited_to(samples),
                     flags.backend == "reference" ? reference_evaluator() : jit_evaluator(flags.threads));
}

void Calibrating::serve(PassContext& context) const {
  context.evaluator = evaluator_.get();
  context.progress = progress_bar("calibrating");
  context.samples = [data = data_](int64_t index) -> Result<std::optional<Feeds>> {
    if (index >= data.size()) return std::optional<Feeds>();
    LAPIS_TRY(Feeds feeds, data.sample(index));
    return std::optional<Feeds>(std::move(feeds));
  };
}

}  // namespace lapis::cli
