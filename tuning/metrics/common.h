// What metrics share.
#pragma once

#include "tuning/metrics/metric.h"

namespace lapis {

// "data.yaml:7: error: sample 3: ..."
Diagnostic misfit(const Settings& settings, int64_t sample, const std::string& what);

bool is_numeric(const Tensor& t);  // elements that as_double() knows
bool is_vector(const Tensor& t);   // and at most one dimension that is not 1
bool holds_nan(const Tensor& t);

double mean_of(const std::vector<double>& x);
// 0 where one of the two never changes: it says nothing about the other.
double pearson(const std::vector<double>& x, const std::vector<double>& y);
// From 1, ties sharing their mean.
std::vector<double> ranks(const std::vector<double>& x);

// A metric that is the mean of one score a sample; samples whose output holds NaN keep the worst one.
class MeanOfScores : public Metric {
 public:
  explicit MeanOfScores(const MetricSetup& setup, double worst = 0)
      : settings_(setup.settings), scores_(static_cast<size_t>(setup.samples), worst) {}

  Status add(const Observation& seen) final;
  Result<double> value() const override { return mean_of(scores_); }
  std::vector<double> scores() const override { return scores_; }
  int64_t unusable() const final { return unusable_; }

 protected:
  virtual Status check(const Observation& seen) const = 0;
  virtual double score(const Observation& seen) = 0;  // of numbers without NaN that check() found fit
  Diagnostic misfit(const Observation& seen, const std::string& what) const {
    return lapis::misfit(settings_, seen.sample, what);
  }

  Settings settings_;
  std::vector<double> scores_;

 private:
  int64_t unusable_ = 0;
};

template <class T> auto maker() {
  return [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    return std::unique_ptr<Metric>(std::make_unique<T>(setup));
  };
}

}  // namespace lapis
