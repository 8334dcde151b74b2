#include "tuning/metrics/metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/suggest.h"

namespace lapis {
namespace {

Diagnostic misfit(const std::string& where, int64_t sample, const std::string& what) {
  return error(ErrorKind::Mismatch, "sample " + std::to_string(sample) + ": " + what)
      .at(where)
      .help("docs/datasets.md says what each metric needs");
}

bool holds_nan(const Tensor& t) {
  for (int64_t i = 0; i < t.size(); ++i)
    if (std::isnan(t.as_double(i))) return true;
  return false;
}

bool is_numeric(const Tensor& t) {
  return visit_dtype(t.dtype(), [](auto) {});
}

// One number a class: at most one dimension is not 1.
bool is_vector(const Tensor& t) {
  return is_numeric(t) && std::count_if(t.shape().begin(), t.shape().end(), [](int64_t d) { return d != 1; }) <= 1;
}

// The share of samples whose label is among the k largest logits.
class TopK final : public Metric {
 public:
  TopK(size_t k, MetricConfig config) : k_(k), config_(std::move(config)), scores_(config_.labels.size(), 0) {}

  Status add(int64_t sample, const Tensor& output) override {
    LAPIS_CHECK(check(sample, output));
    const bool usable = !holds_nan(output);
    unusable_ += !usable;
    const bool right = usable && rank_of(output, config_.labels[static_cast<size_t>(sample)]) < k_;
    scores_[static_cast<size_t>(sample)] = right ? 1 : 0;
    return ok();
  }
  double value() const override {
    return std::accumulate(scores_.begin(), scores_.end(), 0.0) / static_cast<double>(scores_.size());
  }
  std::vector<double> scores() const override { return scores_; }
  int64_t unusable() const override { return unusable_; }

 private:
  Status check(int64_t sample, const Tensor& output) const {
    if (static_cast<size_t>(sample) >= config_.labels.size())
      return misfit(config_.where, sample, "there are only " + std::to_string(config_.labels.size()) + " labels");
    if (!is_vector(output))
      return misfit(config_.where, sample,
                    config_.name + " needs one number a class, the output is " + to_string(output, 0));
    const int64_t label = config_.labels[static_cast<size_t>(sample)];
    if (label >= output.size() || label < 0)
      return misfit(config_.where, sample,
                    "its label is " + std::to_string(label) + ", but the model has " + std::to_string(output.size()) +
                        " classes");
    if (static_cast<int64_t>(k_) >= output.size())
      return misfit(config_.where, sample,
                    config_.name + " is always right for a model with " + std::to_string(output.size()) + " classes");
    return ok();
  }

  // Classes before this one; ties go to the lower class, as argmax has it.
  static size_t rank_of(const Tensor& output, int64_t label) {
    const double own = output.as_double(label);
    size_t before = 0;
    for (int64_t c = 0; c < output.size(); ++c)
      before += output.as_double(c) > own || (output.as_double(c) == own && c < label);
    return before;
  }

  size_t k_;
  MetricConfig config_;
  std::vector<double> scores_;
  int64_t unusable_ = 0;
};

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  const double ab = std::inner_product(a.begin(), a.end(), b.begin(), 0.0),
               aa = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  return ab / std::sqrt(aa * std::inner_product(b.begin(), b.end(), b.begin(), 0.0));
}

double mean_of(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

// 0 where one of the two never changes: it says nothing about the other.
double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const double mx = mean_of(x), my = mean_of(y);
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
  }
  return xx * yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

// Ranks from 1, ties sharing their mean.
std::vector<double> ranks(const std::vector<double>& x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> rank(x.size());
  for (size_t i = 0; i < order.size();) {
    size_t j = i;
    while (j < order.size() && x[order[j]] == x[order[i]]) ++j;
    for (size_t t = i; t < j; ++t) rank[order[t]] = (static_cast<double>(i) + static_cast<double>(j) + 1) / 2;
    i = j;
  }
  return rank;
}

// Correlation of given scores with the cosine similarity of the outputs of samples i and i + n.
class Similarity final : public Metric {
 public:
  Similarity(MetricConfig config, bool by_rank)
      : config_(std::move(config)), by_rank_(by_rank), outputs_(2 * config_.scores.size()) {}

  Status add(int64_t sample, const Tensor& output) override {
    if (static_cast<size_t>(sample) >= outputs_.size())
      return misfit(config_.where, sample, "there are more samples than twice the number of scores");
    if (!is_numeric(output)) return misfit(config_.where, sample, "its output is " + to_string(output, 0));
    const size_t first = static_cast<size_t>(sample) % pairs();
    if (first != static_cast<size_t>(sample) && static_cast<int64_t>(outputs_[first].size()) != output.size())
      return misfit(config_.where, sample,
                    "its output has " + std::to_string(output.size()) + " numbers, that of sample " +
                        std::to_string(first) + " " + std::to_string(outputs_[first].size()));
    unusable_ += holds_nan(output);
    auto& row = outputs_[static_cast<size_t>(sample)];
    for (int64_t i = 0; i < output.size(); ++i) row.push_back(output.as_double(i));
    return ok();
  }
  double value() const override {
    std::vector<double> got;
    for (size_t i = 0; i < pairs(); ++i) got.push_back(similarity(i));
    return by_rank_ ? pearson(ranks(got), ranks(config_.scores)) : pearson(got, config_.scores);
  }
  int64_t unusable() const override { return unusable_; }

 private:
  size_t pairs() const { return config_.scores.size(); }
  // NaN, infinities and vectors of zeros have no cosine: such a pair gets the one that is farthest from right.
  double similarity(size_t i) const {
    const double c = cosine(outputs_[i], outputs_[i + pairs()]);
    if (std::isfinite(c)) return c;
    return config_.scores[i] > mean_of(config_.scores) ? -1 : 1;
  }

  MetricConfig config_;
  bool by_rank_;
  std::vector<std::vector<double>> outputs_;
  int64_t unusable_ = 0;
};

Diagnostic lacks(const MetricConfig& config, const std::string& what) {
  return error(ErrorKind::Input, "the metric " + config.name + " needs `" + what + "` in the dataset file")
      .at(config.where)
      .help("docs/datasets.md describes it");
}

}  // namespace

std::vector<std::string> metric_names() { return {"top1", "top5", "cosine_pearson", "cosine_spearman"}; }

Result<std::unique_ptr<Metric>> make_metric(const MetricConfig& config) {
  const std::string& name = config.name;
  if (name == "top1" || name == "top5") {
    if (config.labels.empty()) return lacks(config, "labels");
    return std::unique_ptr<Metric>(std::make_unique<TopK>(name == "top1" ? 1 : 5, config));
  }
  if (name == "cosine_pearson" || name == "cosine_spearman") {
    if (config.scores.empty()) return lacks(config, "scores");
    return std::unique_ptr<Metric>(std::make_unique<Similarity>(config, name == "cosine_spearman"));
  }
  return error(ErrorKind::Input, name.empty() ? "the dataset file names no metric" : "unknown metric '" + name + "'")
      .at(config.where)
      .help("known metrics are " + joined(metric_names()));
}

// Laplace's two more pairs, one won by each side (Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial
// proportions based on paired data", 2012): without them the interval of two models that never disagree would have no width.
Interval paired_difference(const std::vector<double>& a, const std::vector<double>& b) {
  LAPIS_ASSERT(a.size() == b.size() && !a.empty(), "paired scores of different lengths");
  const auto n = static_cast<double>(a.size());
  double sum = 0, squares = 2;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += b[i] - a[i];
    squares += (b[i] - a[i]) * (b[i] - a[i]);
  }
  const double middle = sum / (n + 2);
  const double half = 1.96 * std::sqrt((squares / (n + 2) - middle * middle) / (n + 2));
  return {sum / n, middle - half, middle + half};
}

}  // namespace lapis
