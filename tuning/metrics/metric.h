// Metrics: one number for a model on a dataset, and the score of every sample, so that two models can be compared in pairs.
#pragma once

#include "tuning/data/dataset.h"

namespace lapis {

class Metric {
 public:
  virtual ~Metric() = default;
  virtual Status add(int64_t sample, const Tensor& output) = 0;
  virtual double value() const = 0;
  // One number a sample whose mean is value(), or empty where there is none (correlations).
  virtual std::vector<double> scores() const { return {}; }
  virtual int64_t unusable() const = 0;  // samples whose output holds NaN: they count as wrong
};

Result<std::unique_ptr<Metric>> make_metric(const MetricConfig& config);
std::vector<std::string> metric_names();

// A 95 % interval of the mean difference b - a of paired scores in [0, 1] (Bonett-Price; needs scores of both on the same samples).
struct Interval {
  double mean, low, high;
};
Interval paired_difference(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace lapis
