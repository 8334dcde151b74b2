// Yes or no for every element of the output: frames, voxels, pixels, or the one number of a detector.
#include <algorithm>
#include <cmath>

#include "ir/ops/loops.h"
#include "tuning/metrics/common.h"

namespace lapis {
namespace {

constexpr double kThreshold = 0.5;

const Option kThresholdOption{
    .name = "threshold", .kind = OptionKind::Number, .doc = "yes is what lies above; default: 0.5"};

// NaN is neither above nor below: it is the wrong answer.
bool says_yes(double value, double threshold, bool label) { return std::isnan(value) ? !label : value > threshold; }

// The threshold in the precision of the output, as a comparison of arrays has it.
double threshold_of(const Settings& settings, const Tensor& output) {
  const double t = settings.number("threshold", kThreshold);
  return output.dtype() == DType::Float32 ? static_cast<double>(static_cast<float>(t)) : t;
}

Status check_elements(const Settings& settings, const Observation& seen) {
  const Tensor& output = seen.outputs[0];
  if (!is_numeric(output)) return misfit(settings, seen.sample, "its output is " + to_string(output, 0));
  if (seen.label.size() != output.size() || output.size() == 0)
    return misfit(settings, seen.sample,
                  "its output is " + to_string(output, 0) + ", its label " + to_string(seen.label, 0) +
                      ": one label for each element is needed");
  return ok();
}

struct Counts {
  int64_t hits = 0, said = 0, wanted = 0;
  // 2 hits / (said + wanted): the harmonic mean of precision and recall, and Dice's coefficient.
  // Nothing wanted and nothing said is right.
  double f1() const { return said + wanted ? 2.0 * static_cast<double>(hits) / static_cast<double>(said + wanted) : 1; }
};

Counts counted(const Observation& seen, double threshold) {
  Counts c;
  const std::vector<double> values = ops::to_doubles(seen.outputs[0]), labels = ops::to_doubles(seen.label);
  for (size_t i = 0; i < values.size(); ++i) {
    const bool label = labels[i] != 0, yes = says_yes(values[i], threshold, label);
    c.hits += label && yes;
    c.said += yes;
    c.wanted += label;
  }
  return c;
}

// Over the elements of all samples together.
class F1 final : public Metric {
 public:
  explicit F1(const MetricSetup& setup) : settings_(setup.settings) {}

  Status add(const Observation& seen) override {
    LAPIS_CHECK(check_elements(settings_, seen));
    const Counts c = counted(seen, threshold_of(settings_, seen.outputs[0]));
    all_.hits += c.hits, all_.said += c.said, all_.wanted += c.wanted;
    unusable_ += holds_nan(seen.outputs[0]);
    return ok();
  }
  Result<double> value() const override { return all_.f1(); }
  int64_t unusable() const override { return unusable_; }

 private:
  Settings settings_;
  Counts all_;
  int64_t unusable_ = 0;
};

// The mean of each sample's own.
class Dice final : public MeanOfScores {
 public:
  using MeanOfScores::MeanOfScores;

 private:
  Status check(const Observation& seen) const override { return check_elements(settings_, seen); }
  double score(const Observation& seen) override {
    return counted(seen, threshold_of(settings_, seen.outputs[0])).f1();
  }
};

class BinaryAccuracy final : public MeanOfScores {
 public:
  using MeanOfScores::MeanOfScores;

 private:
  Status check(const Observation& seen) const override { return check_elements(settings_, seen); }
  double score(const Observation& seen) override {
    const double threshold = threshold_of(settings_, seen.outputs[0]);
    int64_t right = 0;
    for (int64_t i = 0; i < seen.label.size(); ++i)
      right += (seen.outputs[0].as_double(i) > threshold) == (seen.label.as_double(i) != 0);
    return static_cast<double>(right) / static_cast<double>(seen.label.size());
  }
};

// The probability that an element labelled 1 has a larger number than one labelled 0, ties counting one half.
class Auc final : public Metric {
 public:
  explicit Auc(const MetricSetup& setup) : settings_(setup.settings) {}

  Status add(const Observation& seen) override {
    LAPIS_CHECK(check_elements(settings_, seen));
    for (int64_t i = 0; i < seen.label.size(); ++i) {
      const bool label = seen.label.as_double(i) != 0;
      const double value = seen.outputs[0].as_double(i);
      values_.push_back(!std::isnan(value) ? value : label ? -HUGE_VAL : HUGE_VAL);
      labels_.push_back(label);
    }
    unusable_ += holds_nan(seen.outputs[0]);
    return ok();
  }
  Result<double> value() const override {
    const auto yes = static_cast<double>(std::count(labels_.begin(), labels_.end(), true)),
               no = static_cast<double>(labels_.size()) - yes;
    if (yes == 0 || no == 0)
      return settings_.problem("the area under the curve needs labels of both kinds, all of these are " +
                               std::string(yes ? "1" : "0"));
    const std::vector<double> rank = ranks(values_);
    double sum = 0;
    for (size_t i = 0; i < rank.size(); ++i) sum += labels_[i] ? rank[i] : 0;
    return (sum - yes * (yes + 1) / 2) / (yes * no);
  }
  int64_t unusable() const override { return unusable_; }

 private:
  Settings settings_;
  std::vector<double> values_;
  std::vector<bool> labels_;
  int64_t unusable_ = 0;
};

}  // namespace

std::vector<MetricRow> binary_metrics() {
  return {
      {.name = "f1",
       .doc = "F1 of yes or no over the elements of all samples",
       .options = {kThresholdOption},
       .label = LabelKind::Numbers,
       .make = maker<F1>()},
      {.name = "dice",
       .doc = "Dice's coefficient of each sample, and their mean",
       .options = {kThresholdOption},
       .label = LabelKind::Numbers,
       .make = maker<Dice>()},
      {.name = "binary_accuracy",
       .doc = "share of elements on the right side of the threshold",
       .options = {kThresholdOption},
       .label = LabelKind::Numbers,
       .make = maker<BinaryAccuracy>()},
      {.name = "auc",
       .doc = "area under the ROC curve over the elements of all samples",
       .label = LabelKind::Numbers,
       .make = maker<Auc>()},
  };
}

}  // namespace lapis
