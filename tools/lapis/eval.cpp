// lapis eval M --data CONFIG.yaml
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string data, against;
  int64_t samples = 0;
};

Result<Accuracy> accuracy_of(const std::string& model, const Flags& flags, const Dataset& dataset) {
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  if (options.backend == Backend::Jit) {
    options.model.all_free = true;  // samples may be of any length
  } else {
    LAPIS_TRY(const Feeds first, dataset.sample(0));
    bind_to(first, options.model);
  }
  LAPIS_TRY(const std::unique_ptr<Runner> runner, flags.model.open(model, options));
  return measure_accuracy(*runner, dataset, progress_bar(model));
}

nlohmann::ordered_json as_json(const Accuracy& a) {
  return {{"metric", a.metric},
          {"value", a.value},
          {"samples", a.milliseconds.size()},
          {"p50_ms", percentile(a.milliseconds, 50)},
          {"p99_ms", percentile(a.milliseconds, 99)},
          {"nan_samples", a.unusable}};
}

std::string as_text(const std::string& model, const Accuracy& a) {
  return model + ": " + a.metric + " " + fixed(a.value, 4) + " on " + std::to_string(a.milliseconds.size()) +
         " samples, p50 " + fixed(percentile(a.milliseconds, 50), 3) + " ms, p99 " +
         fixed(percentile(a.milliseconds, 99), 3) + " ms" +
         (a.unusable ? ", NaN in " + std::to_string(a.unusable) + " of them, which count as wrong" : "") + "\n";
}

Result<Report> eval(const Flags& flags) {
  LAPIS_TRY(const Dataset whole, Dataset::load(flags.data));
  const Dataset dataset = whole.limited_to(flags.samples);
  LAPIS_TRY(const Accuracy own, accuracy_of(flags.model.model, flags, dataset));
  Report report{as_text(flags.model.model, own), as_json(own)};
  if (flags.against.empty()) return report;
  LAPIS_TRY(const Accuracy other, accuracy_of(flags.against, flags, dataset));
  report.text += as_text(flags.against, other);
  report.json["against"] = as_json(other);
  report.json["difference"] = own.value - other.value;
  if (own.scores.empty()) {
    report.text += "difference " + fixed(own.value - other.value, 4) + "\n";
    return report;
  }
  const Interval d = paired_difference(other.scores, own.scores);
  report.json["difference_ci95"] = {d.low, d.high};
  report.text +=
      "difference " + fixed(d.mean, 4) + ", 95 % interval [" + fixed(d.low, 4) + ", " + fixed(d.high, 4) + "]\n";
  return report;
}

}  // namespace

Action declare_eval(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  app.add_option("--data", flags->data, "Dataset file (docs/datasets.md)")->required()->type_name("CONFIG.yaml");
  app.add_option("--samples", flags->samples, "Use only so many samples, evenly spread")
      ->type_name("N")
      ->check(at_least(1));
  app.add_option("--against", flags->against, "Another model on the same samples: prints the paired difference")
      ->type_name("MODEL");
  return [flags] { return eval(*flags); };
}

}  // namespace lapis::cli
