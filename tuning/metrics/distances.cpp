// Distances: to given numbers, and to the outputs of the model that another one was made of, where there are no labels.
#include <algorithm>
#include <cmath>

#include "tuning/metrics/common.h"

namespace lapis {
namespace {

constexpr double kNoNoise = 200;  // dB of outputs that are equal

class Distance : public MeanOfScores {
 public:
  using MeanOfScores::MeanOfScores;

 protected:
  Status check(const Observation& seen) const override {
    if (seen.label.size() == seen.outputs[0].size() && seen.label.size() > 0) return ok();
    return misfit(seen, "its output is " + to_string(seen.outputs[0], 0) + ", what it is compared with " +
                            to_string(seen.label, 0));
  }
  template <class F> static double sum(const Observation& seen, F term) {
    double sum = 0;
    for (int64_t i = 0; i < seen.label.size(); ++i) sum += term(seen.outputs[0].as_double(i), seen.label.as_double(i));
    return sum;
  }
};

class MeanError : public Distance {
 public:
  explicit MeanError(const MetricSetup& setup) : Distance(setup, HUGE_VAL) {}
};

class MeanAbsoluteError final : public MeanError {
 public:
  using MeanError::MeanError;
  double score(const Observation& seen) override {
    return sum(seen, [](double a, double b) { return std::abs(a - b); }) / static_cast<double>(seen.label.size());
  }
};

class MeanSquaredError final : public MeanError {
 public:
  using MeanError::MeanError;
  double score(const Observation& seen) override {
    return sum(seen, [](double a, double b) { return (a - b) * (a - b); }) / static_cast<double>(seen.label.size());
  }
};

class Cosine final : public Distance {
 public:
  explicit Cosine(const MetricSetup& setup) : Distance(setup, -1) {}
  double score(const Observation& seen) override {
    const double aa = sum(seen, [](double a, double) { return a * a; }),
                 bb = sum(seen, [](double, double b) { return b * b; });
    if (aa == 0 && bb == 0) return 1;
    const double cosine = sum(seen, [](double a, double b) { return a * b; }) / std::sqrt(aa * bb);
    return std::isfinite(cosine) ? std::clamp(cosine, -1.0, 1.0) : -1;
  }
};

// Whether the largest number is at the same place.
class Agreement final : public Distance {
 public:
  using Distance::Distance;
  double score(const Observation& seen) override { return largest(seen.outputs[0]) == largest(seen.label) ? 1 : 0; }

 private:
  static int64_t largest(const Tensor& t) {
    int64_t best = 0;
    for (int64_t i = 1; i < t.size(); ++i)
      if (t.as_double(i) > t.as_double(best)) best = i;
    return best;
  }
};

// 10 log10 of the power of the wanted outputs by that of the differences, over all samples.
class Sqnr final : public Distance {
 public:
  explicit Sqnr(const MetricSetup& setup) : Distance(setup, 0) {}
  double score(const Observation& seen) override {
    signal_ += sum(seen, [](double, double b) { return b * b; });
    noise_ += sum(seen, [](double a, double b) { return (a - b) * (a - b); });
    return 0;
  }
  Result<double> value() const override {
    if (unusable() > 0 || !std::isfinite(noise_) || !std::isfinite(signal_)) return -kNoNoise;
    if (noise_ == 0) return kNoNoise;
    return signal_ == 0 ? -kNoNoise : std::clamp(10 * std::log10(signal_ / noise_), -kNoNoise, kNoNoise);
  }
  std::vector<double> scores() const override { return {}; }

 private:
  double signal_ = 0, noise_ = 0;
};

}  // namespace

std::vector<MetricRow> distance_metrics() {
  return {
      {.name = "mae",
       .doc = "mean absolute error against the labels",
       .label = LabelKind::Numbers,
       .higher_is_better = false,
       .make = maker<MeanAbsoluteError>()},
      {.name = "mse",
       .doc = "mean squared error against the labels",
       .label = LabelKind::Numbers,
       .higher_is_better = false,
       .make = maker<MeanSquaredError>()},
      {.name = "sqnr",
       .doc = "dB of the reference model's output over the difference to it; 200 where they are equal, -200 with a NaN",
       .label = LabelKind::Reference,
       .make = maker<Sqnr>()},
      {.name = "cosine",
       .doc = "cosine of the output and the reference model's, and their mean over the samples",
       .label = LabelKind::Reference,
       .make = maker<Cosine>()},
      {.name = "agreement",
       .doc = "share of samples whose largest number is where the reference model has it",
       .label = LabelKind::Reference,
       .make = maker<Agreement>()},
  };
}

}  // namespace lapis
