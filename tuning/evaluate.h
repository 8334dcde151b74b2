// Accuracy of a runnable model on a dataset.
#pragma once

#include "driver/runner.h"
#include "tuning/metrics/metric.h"

namespace lapis {

using Progress = std::function<void(int64_t done, int64_t total)>;

struct Accuracy {
  std::string metric;
  double value = 0;
  std::vector<double> scores;        // per sample, where the metric has them
  std::vector<double> milliseconds;  // latency of each sample
  int64_t unusable = 0;              // samples whose output holds NaN: they count as wrong
};

Result<Accuracy> measure_accuracy(Runner& runner, const Dataset& dataset, const Progress& progress = {});

}  // namespace lapis
