#include "tuning/search/sequential.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace lapis {
namespace {

constexpr int64_t kFirstLook = 50;

std::vector<int64_t> looks_of(const SequentialOptions& options) {
  std::vector<int64_t> looks;
  for (int64_t n = kFirstLook; n < options.samples && options.confidence < 1; n += n / 2) looks.push_back(n);
  looks.push_back(options.samples);
  return looks;
}

}  // namespace

double normal_quantile_above(double p) {
  LAPIS_ASSERT(p > 0 && p < 0.5, "no quantile above " << p);
  double low = 0, high = 40;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > p ? low : high) = middle;
  }
  return low;
}

SequentialTest::SequentialTest(const SequentialOptions& options) : options_(options), looks_(looks_of(options)) {
  LAPIS_ASSERT(options.samples > 0, "a test without samples");
  const double error = (1 - options.confidence) / static_cast<double>(looks_.size());
  quantile_ = options.confidence < 1 ? normal_quantile_above(error) : 0;
}

bool SequentialTest::is_look(int64_t samples) const {
  return std::binary_search(looks_.begin(), looks_.end(), samples);
}

void SequentialTest::add(double baseline, double trial) {
  LAPIS_ASSERT(count_ < options_.samples, "more samples than there are");
  const double difference = trial - baseline;
  ++count_;
  sum_ += difference;
  squares_ += difference * difference;
  largest_ = std::max({largest_, std::abs(baseline), std::abs(trial)});
  if (!is_look(count_)) return;
  const Interval i = interval();
  constexpr double kRounding = 1e-12;  // of sums: a loss of exactly what is allowed passes
  if (i.low >= -options_.allowed_loss - kRounding)
    answer_ = Answer::Passes;
  else if (i.high < -options_.allowed_loss - kRounding)
    answer_ = Answer::Fails;
}

// Two more pairs, one won by each side, as in paired_difference (tuning/metrics/metric.h):
// two models that have not disagreed so far may yet do.
SequentialTest::Interval SequentialTest::interval() const {
  const auto n = static_cast<double>(count_), all = static_cast<double>(options_.samples);
  if (count_ == 0) return {};
  const double mean = sum_ / n;
  if (count_ == options_.samples) return {mean, mean, mean};
  const double middle = sum_ / (n + 2), square = (squares_ + 2 * largest_ * largest_) / (n + 2);
  const double left = (all - n) / (all - 1);
  const double half = quantile_ * std::sqrt(std::max(0.0, square - middle * middle) / (n + 2) * left);
  return {mean, middle - half, middle + half};
}

}  // namespace lapis
