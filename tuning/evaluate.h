// Accuracy of a runnable model on a dataset: what each of its metrics says.
//
//   LAPIS_TRY(const Accuracy a, measure_accuracy(*runner, dataset));
//   a.value, a.higher_is_better     // of the first metric, which tuning looks at
#pragma once

#include "driver/runner.h"
#include "passes/samples.h"
#include "tuning/data/dataset.h"
#include "tuning/metrics/metric.h"
#include "tuning/team.h"

namespace lapis {

using Progress = std::function<void(int64_t done, int64_t total)>;

struct Measure {
  std::string metric;
  double value = 0;
  bool higher_is_better = true;
  std::vector<double> scores;  // per sample, where the metric has them: their mean is `value`
  int64_t unusable = 0;        // samples whose output holds NaN: they count as wrong
};

struct Accuracy : Measure {          // of the first metric
  std::vector<Measure> others;       // of the others, in the order of the dataset file
  std::vector<double> milliseconds;  // latency of each sample
};

// Samples go through the model in their order, each alone; what the dataset carries goes from one to the next.
// `reference` is what metrics like sqnr compare with, and may be the runner itself; without one they are an error.
Result<Accuracy> measure_accuracy(Runner& runner, const Dataset& dataset, const Progress& progress = {},
                                  Runner* reference = nullptr);

struct EvaluateOptions {
  Runner* reference = nullptr;      // as above
  std::vector<int64_t> order = {};  // in which samples are evaluated; empty: as they stand
  // Asked after each sample about the first metric: true if the rest, and with it all values, can be left out.
  std::function<bool(int64_t done, const Metric& metric)> enough = {};
  Progress progress = {};
  // Runs blocks of samples together with other ranks, who know this evaluation by its name.
  // All of them see the outputs of all samples.
  Team* team = nullptr;
  std::string name = {};
};

// The same with several runners of one model, each on a thread of its own;
// one, and in order, where the dataset carries something.
using Runners = std::vector<std::unique_ptr<Runner>>;
Result<Accuracy> measure_accuracy(const Runners& runners, const Dataset& dataset, const EvaluateOptions& options);

// What a model is calibrated with: at most `count` samples (0: all) of those that the dataset has for it, evenly
// spread. Where something is carried from one to the next, each has the state that the model has by then, which `open`
// runs: what calibrates runs samples alone.
using OpenedRunner = Result<std::unique_ptr<Runner>>;
Result<Dataset> calibration_samples(const Dataset& dataset, int64_t count, const std::function<OpenedRunner()>& open);

// What calibration reads.
SampleSource samples_of(Dataset dataset);

}  // namespace lapis
