// Correlation of given scores with the cosine similarity of two embeddings.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tuning/metrics/common.h"

namespace lapis {
namespace {

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  const double ab = std::inner_product(a.begin(), a.end(), b.begin(), 0.0),
               aa = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  return ab / std::sqrt(aa * std::inner_product(b.begin(), b.end(), b.begin(), 0.0));
}

// The outputs of samples i and i + n belong to score i.
class Similarity final : public Metric {
 public:
  Similarity(const MetricSetup& setup, bool by_rank)
      : settings_(setup.settings),
        by_rank_(by_rank),
        outputs_(static_cast<size_t>(setup.samples)),
        wanted_(outputs_.size() / 2) {}

  Status add(const Observation& seen) override {
    if (!is_numeric(seen.outputs[0]))
      return misfit(settings_, seen.sample, "its output is " + to_string(seen.outputs[0], 0));
    const size_t sample = static_cast<size_t>(seen.sample), n = wanted_.size(), first = sample % n;
    LAPIS_TRY(outputs_[sample], pooled(seen));
    const size_t partner = sample < n ? sample + n : first;  // which may come later
    if (!outputs_[partner].empty() && outputs_[partner].size() != outputs_[sample].size())
      return misfit(settings_, seen.sample,
                    "its output has " + std::to_string(outputs_[sample].size()) + " numbers, that of sample " +
                        std::to_string(partner) + " " + std::to_string(outputs_[partner].size()));
    unusable_ += holds_nan(seen.outputs[0]);
    wanted_[first] = seen.label.as_double(0);
    return ok();
  }
  Result<double> value() const override {
    std::vector<double> got;
    for (size_t i = 0; i < wanted_.size(); ++i) got.push_back(similarity(i));
    return by_rank_ ? pearson(ranks(got), ranks(wanted_)) : pearson(got, wanted_);
  }
  int64_t unusable() const override { return unusable_; }

 private:
  // [1, tokens, numbers] -> numbers, as `pooling` says.
  Result<std::vector<double>> pooled(const Observation& seen) const {
    const Tensor& output = seen.outputs[0];
    std::vector<double> values;
    for (int64_t i = 0; i < output.size(); ++i) values.push_back(output.as_double(i));
    const std::string pooling = settings_.text("pooling", "none");
    if (pooling == "none") return values;
    if (output.rank() != 3 || output.dim(0) != 1 || output.size() == 0)
      return misfit(settings_, seen.sample,
                    "`pooling` needs an output [1, tokens, numbers], got " + to_string(output, 0));
    const auto numbers = static_cast<size_t>(output.dim(2));
    if (pooling == "cls") return std::vector<double>(values.begin(), values.begin() + static_cast<int64_t>(numbers));
    LAPIS_TRY(const std::vector<bool> counts, mask(seen, output.dim(1)));
    std::vector<double> mean(numbers, 0);
    for (size_t i = 0; i < values.size(); ++i)
      if (counts[i / numbers]) mean[i % numbers] += values[i];
    const auto tokens = static_cast<double>(std::count(counts.begin(), counts.end(), true));
    for (double& v : mean) v /= tokens;
    return mean;
  }

  // Which tokens count: those where the input `mask` is not 0.
  Result<std::vector<bool>> mask(const Observation& seen, int64_t tokens) const {
    if (!settings_.has("mask")) return std::vector<bool>(static_cast<size_t>(tokens), true);
    const auto input = seen.feeds->find(settings_.text("mask"));
    if (input == seen.feeds->end() || !is_numeric(input->second) || input->second.size() != tokens)
      return misfit(settings_, seen.sample,
                    "there is no input '" + settings_.text("mask") + "' with one number for each of " +
                        std::to_string(tokens) + " tokens");
    std::vector<bool> counts;
    for (int64_t i = 0; i < tokens; ++i) counts.push_back(input->second.as_double(i) != 0);
    return counts;
  }

  // NaN, infinities and vectors of zeros have no cosine: such a pair gets the one that is farthest from right.
  double similarity(size_t i) const {
    const double c = cosine(outputs_[i], outputs_[i + wanted_.size()]);
    if (std::isfinite(c)) return c;
    return wanted_[i] > mean_of(wanted_) ? -1 : 1;
  }

  Settings settings_;
  bool by_rank_;
  std::vector<std::vector<double>> outputs_;
  std::vector<double> wanted_;
  int64_t unusable_ = 0;
};

template <bool by_rank> MetricRow similarity(const char* name, const char* doc) {
  const auto make = [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    return std::unique_ptr<Metric>(std::make_unique<Similarity>(setup, by_rank));
  };
  return {.name = name,
          .doc = doc,
          .options = {{.name = "scores",
                       .kind = OptionKind::File,
                       .doc = ".npy, the wanted similarity of sample *i* and sample *i + n*: half as many as samples",
                       .required = true},
                      {.name = "pooling",
                       .doc = "of outputs [1, tokens, numbers]: cls (the first token) or mean; default: none",
                       .choices = {"none", "cls", "mean"}},
                      {.name = "mask", .doc = "the input that says which tokens count in a mean; default: all"}},
          .label = LabelKind::Pairs,
          .make = make};
}

}  // namespace

std::vector<MetricRow> similarity_metrics() {
  return {similarity<false>("cosine_pearson", "Pearson correlation of the scores with the cosines of two outputs"),
          similarity<true>("cosine_spearman", "the same of their ranks")};
}

}  // namespace lapis
