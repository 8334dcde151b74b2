// lapis eval M --data CONFIG.yaml
#include "base/printable.h"
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string data, against;
  int64_t samples = 0;
};

Result<std::unique_ptr<Runner>> opened(const std::string& model, const Flags& flags, const Dataset& dataset) {
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  if (options.backend == Backend::Jit) {
    options.model.all_free = true;  // samples may be of any length
  } else {
    LAPIS_TRY(Feeds first, dataset.sample(0));
    for (const auto& [name, number] : dataset.fixed_numbers()) first.erase(name);  // the model may not have them
    bind_to(first, options.model);
  }
  return flags.model.open(model, options);
}

nlohmann::ordered_json as_json(const Measure& m) {
  return {
      {"metric", m.metric}, {"value", m.value}, {"higher_is_better", m.higher_is_better}, {"nan_samples", m.unusable}};
}

nlohmann::ordered_json as_json(const Accuracy& a) {
  nlohmann::ordered_json json{{"metric", a.metric},
                              {"value", a.value},
                              {"samples", a.milliseconds.size()},
                              {"p50_ms", percentile(a.milliseconds, 50)},
                              {"p99_ms", percentile(a.milliseconds, 99)},
                              {"nan_samples", a.unusable}};
  json["metrics"].push_back(as_json(static_cast<const Measure&>(a)));
  for (const Measure& m : a.others) json["metrics"].push_back(as_json(m));
  return json;
}

std::string as_text(const std::string& model, const Accuracy& a) {
  std::string values = a.metric + " " + fixed(a.value, 4);
  for (const Measure& m : a.others) values += ", " + m.metric + " " + fixed(m.value, 4);
  return printable(model) + ": " + values + " on " + std::to_string(a.milliseconds.size()) + " samples, p50 " +
         fixed(percentile(a.milliseconds, 50), 3) + " ms, p99 " + fixed(percentile(a.milliseconds, 99), 3) + " ms" +
         (a.unusable ? ", NaN in " + std::to_string(a.unusable) + " of them, which count as wrong" : "") + "\n";
}

void add_difference(const Accuracy& own, const Accuracy& other, Report& report) {
  report.json["difference"] = own.value - other.value;
  if (own.scores.empty()) {
    report.text += "difference " + fixed(own.value - other.value, 4) + "\n";
    return;
  }
  const Interval d = paired_difference(other.scores, own.scores);
  report.json["difference_ci95"] = {d.low, d.high};
  report.text +=
      "difference " + fixed(d.mean, 4) + ", 95 % interval [" + fixed(d.low, 4) + ", " + fixed(d.high, 4) + "]\n";
}

Result<Report> eval(const Flags& flags) {
  LAPIS_TRY(const Dataset whole, Dataset::load(flags.data));
  const Dataset dataset = whole.limited_to(flags.samples);
  LAPIS_TRY(const std::unique_ptr<Runner> runner, opened(flags.model.model, flags, dataset));
  const std::string reference = flags.against.empty() ? dataset.reference().string() : flags.against;
  std::unique_ptr<Runner> other_runner;
  if (!reference.empty()) {
    LAPIS_TRY(other_runner, opened(reference, flags, dataset));
  }
  LAPIS_TRY(const Accuracy own,
            measure_accuracy(*runner, dataset, progress_bar(flags.model.model), other_runner.get()));
  Report report{as_text(flags.model.model, own), as_json(own)};
  if (flags.against.empty()) return report;
  LAPIS_TRY(const Accuracy other,
            measure_accuracy(*other_runner, dataset, progress_bar(flags.against), other_runner.get()));
  report.text += as_text(flags.against, other);
  report.json["against"] = as_json(other);
  add_difference(own, other, report);
  return report;
}

}  // namespace

Action declare_eval(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  app.add_option("--data", flags->data, "Dataset file (docs/datasets.md)").required().type_name("CONFIG.yaml");
  app.add_option("--samples", flags->samples, "Use only so many samples, evenly spread")
      .type_name("N")
      .check(at_least(1));
  app.add_option("--against", flags->against, "Another model on the same samples: prints the paired difference")
      .type_name("MODEL");
  return [flags] { return eval(*flags); };
}

}  // namespace lapis::cli
