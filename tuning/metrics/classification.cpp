// One class a sample: top-k, and a linear classifier on an embedding.
#include <cmath>

#include "tuning/data/npy.h"
#include "tuning/metrics/common.h"

namespace lapis {
namespace {

// Classes before `own`; ties go to the lower class, as argmax has it.
template <class At> int64_t rank_of(int64_t own, int64_t classes, At at) {
  int64_t before = 0;
  const double value = at(own);
  for (int64_t c = 0; c < classes; ++c) before += at(c) > value || (at(c) == value && c < own);
  return before;
}

// The share of samples whose label is among the k largest numbers.
class TopK final : public MeanOfScores {
 public:
  TopK(const MetricSetup& setup, int64_t k) : MeanOfScores(setup), k_(k) {}

 private:
  Status check(const Observation& seen) const override {
    const Tensor& output = seen.outputs[0];
    if (!is_vector(output))
      return misfit(seen,
                    "top" + std::to_string(k_) + " needs one number a class, the output is " + to_string(output, 0));
    const int64_t label = seen.label.as_int(0);
    if (label >= output.size() || label < 0)
      return misfit(seen, "its label is " + std::to_string(label) + ", but the model has " +
                              std::to_string(output.size()) + " classes");
    if (k_ >= output.size())
      return misfit(seen, "top" + std::to_string(k_) + " is always right for a model with " +
                              std::to_string(output.size()) + " classes");
    return ok();
  }
  double score(const Observation& seen) override {
    const Tensor& output = seen.outputs[0];
    return rank_of(seen.label.as_int(0), output.size(), [&](int64_t c) { return output.as_double(c); }) < k_ ? 1 : 0;
  }

  int64_t k_;
};

template <int64_t k> MetricRow top(const char* doc) {
  const auto make = [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    return std::unique_ptr<Metric>(std::make_unique<TopK>(setup, k));
  };
  return {.name = "top" + std::to_string(k), .doc = doc, .label = LabelKind::Class, .make = make};
}

// Accuracy of a linear classifier of the output: logits W x + b;
// with one row of weights, class 1 where its logit is above 0.
class LinearProbe final : public MeanOfScores {
 public:
  LinearProbe(const MetricSetup& setup, const Tensor& weights, const Tensor& bias)
      : MeanOfScores(setup), rows_(bias.size()), columns_(weights.size() / bias.size()) {
    for (int64_t i = 0; i < weights.size(); ++i) weights_.push_back(weights.as_double(i));
    for (int64_t i = 0; i < rows_; ++i) bias_.push_back(bias.as_double(i));
  }

 private:
  Status check(const Observation& seen) const override {
    if (seen.outputs[0].size() != columns_)
      return misfit(seen, "the probe takes " + std::to_string(columns_) + " numbers, the output is " +
                              to_string(seen.outputs[0], 0));
    if (const int64_t label = seen.label.as_int(0); label >= std::max<int64_t>(rows_, 2))
      return misfit(seen, "its label is " + std::to_string(label) + ", but the probe has " +
                              std::to_string(std::max<int64_t>(rows_, 2)) + " classes");
    return ok();
  }
  double score(const Observation& seen) override {
    std::vector<double> logits = bias_;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < columns_; ++c)
        logits[static_cast<size_t>(r)] +=
            weights_[static_cast<size_t>(r * columns_ + c)] * seen.outputs[0].as_double(c);
    if (rows_ == 1) return (logits[0] > 0) == (seen.label.as_int(0) == 1) ? 1 : 0;
    return rank_of(seen.label.as_int(0), rows_, [&](int64_t r) { return logits[static_cast<size_t>(r)]; }) == 0 ? 1 : 0;
  }

  int64_t rows_, columns_;
  std::vector<double> weights_, bias_;
};

Result<std::unique_ptr<Metric>> make_linear_probe(const MetricSetup& setup) {
  LAPIS_TRY(const Tensor weights, read_npy(setup.settings.file("weights")));
  LAPIS_TRY(const Tensor bias, read_npy(setup.settings.file("bias")));
  if (!is_float(weights.dtype()) || !is_float(bias.dtype()) || bias.size() == 0 || weights.size() == 0 ||
      weights.size() % bias.size() != 0)
    return setup.settings.problem("`weights` [classes, numbers] and `bias` [classes] do not belong together: " +
                                  to_string(weights, 0) + " and " + to_string(bias, 0));
  return std::unique_ptr<Metric>(std::make_unique<LinearProbe>(setup, weights, bias));
}

}  // namespace

std::vector<MetricRow> classification_metrics() {
  return {
      top<1>("share of samples whose label has the largest number"),
      top<5>("share of samples whose label has one of the five largest numbers"),
      {.name = "linear_probe",
       .doc = "accuracy of a linear classifier of the output",
       .options = {{.name = "weights",
                    .kind = OptionKind::File,
                    .doc = ".npy [classes, numbers], or [numbers] for two classes",
                    .required = true},
                   {.name = "bias", .kind = OptionKind::File, .doc = ".npy [classes], or [1]", .required = true}},
       .label = LabelKind::Class,
       .make = make_linear_probe},
  };
}

}  // namespace lapis
