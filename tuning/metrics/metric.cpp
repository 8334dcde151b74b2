#include "tuning/metrics/metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lapis {
namespace {

// The share of samples whose label is among the k largest logits.
class TopK final : public Metric {
 public:
  TopK(size_t k, std::vector<int64_t> labels) : k_(k), labels_(std::move(labels)), scores_(labels_.size(), 0) {}

  Status add(int64_t sample, const Tensor& output) override {
    const int64_t label = labels_[static_cast<size_t>(sample)];
    if (label < 0 || label >= output.size())
      return error(ErrorKind::Mismatch, "sample " + std::to_string(sample) + " has label " + std::to_string(label) +
                                            ", but the model has " + std::to_string(output.size()) + " classes");
    size_t larger = 0;  // ties go to the lower class, as argmax does
    const double own = output.as_double(label);
    for (int64_t c = 0; c < output.size(); ++c)
      larger += output.as_double(c) > own || (output.as_double(c) == own && c < label);
    scores_[static_cast<size_t>(sample)] = larger < k_ ? 1 : 0;
    return ok();
  }
  double value() const override {
    return std::accumulate(scores_.begin(), scores_.end(), 0.0) / static_cast<double>(scores_.size());
  }
  std::vector<double> scores() const override { return scores_; }

 private:
  size_t k_;
  std::vector<int64_t> labels_;
  std::vector<double> scores_;
};

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  const double ab = std::inner_product(a.begin(), a.end(), b.begin(), 0.0),
               aa = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  return ab / std::sqrt(aa * std::inner_product(b.begin(), b.end(), b.begin(), 0.0));
}

double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mx = std::accumulate(x.begin(), x.end(), 0.0) / n, my = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
  }
  return xy / std::sqrt(xx * yy);
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
  Similarity(std::vector<double> scores, bool by_rank)
      : wanted_(std::move(scores)), by_rank_(by_rank), outputs_(2 * wanted_.size()) {}

  Status add(int64_t sample, const Tensor& output) override {
    if (static_cast<size_t>(sample) >= outputs_.size())
      return error(ErrorKind::Mismatch, "more samples than twice the number of scores");
    auto& row = outputs_[static_cast<size_t>(sample)];
    for (int64_t i = 0; i < output.size(); ++i) row.push_back(output.as_double(i));
    return ok();
  }
  double value() const override {
    std::vector<double> got;
    for (size_t i = 0; i < wanted_.size(); ++i) got.push_back(cosine(outputs_[i], outputs_[i + wanted_.size()]));
    return by_rank_ ? pearson(ranks(got), ranks(wanted_)) : pearson(got, wanted_);
  }

 private:
  std::vector<double> wanted_;
  bool by_rank_;
  std::vector<std::vector<double>> outputs_;
};

}  // namespace

std::vector<std::string> metric_names() { return {"top1", "top5", "cosine_pearson", "cosine_spearman"}; }

Result<std::unique_ptr<Metric>> make_metric(const MetricConfig& config) {
  const std::string& name = config.name;
  if (name == "top1" || name == "top5") {
    if (config.labels.empty())
      return error(ErrorKind::Input, "the metric " + name + " needs `labels` in the dataset file")
          .help("docs/datasets.md describes it");
    return std::unique_ptr<Metric>(std::make_unique<TopK>(name == "top1" ? 1 : 5, config.labels));
  }
  if (name == "cosine_pearson" || name == "cosine_spearman") {
    if (config.scores.empty())
      return error(ErrorKind::Input, "the metric " + name + " needs `scores` in the dataset file")
          .help("docs/datasets.md describes it");
    return std::unique_ptr<Metric>(std::make_unique<Similarity>(config.scores, name == "cosine_spearman"));
  }
  std::string known;
  for (const std::string& n : metric_names()) known += (known.empty() ? "" : ", ") + n;
  return error(ErrorKind::Input, name.empty() ? "the dataset file names no metric" : "unknown metric '" + name + "'")
      .help("known metrics are " + known);
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
