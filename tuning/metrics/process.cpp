// A metric that a program of the user's computes.
#include <cmath>
#include <nlohmann/json.hpp>

#include "tuning/data/json_lines.h"
#include "tuning/metrics/common.h"

namespace lapis {
namespace {

using Json = nlohmann::json;

class ProcessMetric final : public Metric {
 public:
  ProcessMetric(const MetricSetup& setup, std::shared_ptr<Process> process)
      : settings_(setup.settings), process_(std::move(process)), scores_(static_cast<size_t>(setup.samples), NAN) {}

  Status add(const Observation& seen) override {
    Json question = {{"sample", seen.sample}, {"output", to_json(seen.outputs[0])}};
    if (seen.label.defined()) question["label"] = to_json(seen.label);
    LAPIS_TRY(const Json json, ask(*process_, settings_, question, "sample " + std::to_string(seen.sample) + ": "));
    if (json.contains("score") && json["score"].is_number())
      scores_[static_cast<size_t>(seen.sample)] = json["score"].get<double>();
    unusable_ += is_numeric(seen.outputs[0]) && holds_nan(seen.outputs[0]);
    return ok();
  }

  Result<double> value() const override {
    if (const auto scored = scores(); !scored.empty()) return mean_of(scored);
    LAPIS_TRY(const Json json, ask(*process_, settings_, {{"finish", true}}));
    if (!json.contains("value") || !json["value"].is_number())
      return settings_.problem(
          "the process must answer {\"finish\": true} with {\"value\": number}, unless it gave every sample a score");
    return json["value"].get<double>();
  }

  std::vector<double> scores() const override {
    for (const double s : scores_)
      if (!std::isfinite(s)) return {};
    return scores_;
  }
  int64_t unusable() const override { return unusable_; }

 private:
  Settings settings_;
  std::shared_ptr<Process> process_;
  std::vector<double> scores_;
  int64_t unusable_ = 0;
};

Result<std::unique_ptr<Metric>> make_process(const MetricSetup& setup) {
  LAPIS_TRY(std::shared_ptr<Process> process, start_process(setup.settings));
  return std::unique_ptr<Metric>(std::make_unique<ProcessMetric>(setup, std::move(process)));
}

}  // namespace

std::vector<MetricRow> process_metrics() {
  std::vector<Option> options = process_options();
  options.push_back({.name = "lower_is_better", .kind = OptionKind::Flag, .doc = "default: false"});
  return {{.name = "process",
           .doc = "what a program of yours answers, in lines of JSON",
           .options = std::move(options),
           .label = LabelKind::Optional,
           .make = make_process}};
}

}  // namespace lapis
