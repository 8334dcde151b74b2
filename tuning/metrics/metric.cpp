#include "tuning/metrics/metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tuning/metrics/common.h"

namespace lapis {

std::vector<MetricRow> metrics() {
  std::vector<MetricRow> all;
  for (auto family :
       {classification_metrics, similarity_metrics, binary_metrics, ranking_metrics, text_metrics, language_metrics,
        box_metrics, detection_metrics, segmentation_metrics, distance_metrics, process_metrics})
    for (MetricRow& row : family()) all.push_back(std::move(row));
  return all;
}

// Laplace's two more pairs, one won by each side (Bonett and Price, "Adjusted Wald confidence interval for a difference
// of binomial proportions based on paired data", 2012): without them the interval of two models that never disagree
// would have no width.
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

Diagnostic misfit(const Settings& settings, int64_t sample, const std::string& what) {
  return error(ErrorKind::Mismatch, "sample " + std::to_string(sample) + ": " + what)
      .at(settings.where)
      .help("docs/datasets.md says what each metric needs");
}

bool is_numeric(const Tensor& t) {
  return visit_dtype(t.dtype(), [](auto) {});
}

bool is_vector(const Tensor& t) {
  return is_numeric(t) && std::count_if(t.shape().begin(), t.shape().end(), [](int64_t d) { return d != 1; }) <= 1;
}

bool holds_nan(const Tensor& t) {
  if (t.dtype() == DType::Float32)
    return std::any_of(t.data<float>().begin(), t.data<float>().end(), [](float v) { return std::isnan(v); });
  for (int64_t i = 0; i < t.size(); ++i)
    if (std::isnan(t.as_double(i))) return true;
  return false;
}

double mean_of(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

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

Status MeanOfScores::add(const Observation& seen) {
  for (const Tensor& output : seen.outputs)
    if (!is_numeric(output)) return misfit(seen, "the output is " + to_string(output, 0));
  LAPIS_CHECK(check(seen));
  const bool usable = std::none_of(seen.outputs.begin(), seen.outputs.end(), holds_nan);
  unusable_ += !usable;
  if (usable) scores_[static_cast<size_t>(seen.sample)] = score(seen);
  return ok();
}

}  // namespace lapis
