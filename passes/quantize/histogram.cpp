#include "passes/quantize/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace lapis {

double Histogram::bin_width() const { return std::ldexp(1.0, exponent_); }

int64_t Histogram::bin_of(double value) const {
  return static_cast<int64_t>(std::floor(std::ldexp(value, -exponent_)));
}

// The finest width whose bins reach from low to high. The lower limit keeps bin numbers of a narrow range far from 0
// small.
static int finest_exponent(float low, float high) {
  const double largest = std::max(std::abs(low), std::abs(high));
  const int limit = largest == 0 ? -149 : std::max(-149, std::ilogb(largest) - 30);
  const double span = static_cast<double>(high) - low;
  int exponent = span == 0 ? limit : std::max(limit, std::ilogb(span) - 11);
  const auto bin = [&](float value) { return std::floor(std::ldexp(static_cast<double>(value), -exponent)); };
  while (bin(high) - bin(low) >= Histogram::kBins) ++exponent;
  return exponent;
}

void Histogram::rebin(int exponent, int64_t first) {
  std::vector<uint64_t> bins(kBins, 0);
  const int shift = std::min(exponent - exponent_, 63);
  for (size_t i = 0; i < bins_.size(); ++i) {
    if (bins_[i] == 0) continue;
    const int64_t to =
        ((first_ + static_cast<int64_t>(i)) >> shift) - first;  // an arithmetic shift: floor of the division
    LAPIS_ASSERT(to >= 0 && to < kBins, "bin " << i << " does not fit after widening by 2^" << shift);
    bins[static_cast<size_t>(to)] += bins_[i];
  }
  bins_ = std::move(bins);
  exponent_ = exponent;
  first_ = first;
}

void Histogram::cover(float low, float high) {
  low = empty() ? low : std::min(low, min_);
  high = empty() ? high : std::max(high, max_);
  const int exponent = finest_exponent(low, high);  // never finer than before: a wider range does not allow finer bins
  if (bins_.empty() || exponent != exponent_ || bin_of(low) < first_ || bin_of(high) >= first_ + kBins)
    rebin(exponent, static_cast<int64_t>(std::floor(std::ldexp(static_cast<double>(low), -exponent))));
  min_ = low;
  max_ = high;
}

std::optional<Range> Histogram::add(std::span<const float> values) {
  float low = INFINITY, high = -INFINITY;
  int64_t finite = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) continue;
    ++finite;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  not_finite_ += static_cast<int64_t>(values.size()) - finite;
  if (finite == 0) return std::nullopt;
  cover(low, high);
  const double scale = std::ldexp(1.0, -exponent_);
  for (const float v : values)
    if (std::isfinite(v)) ++bins_[static_cast<size_t>(static_cast<int64_t>(std::floor(v * scale)) - first_)];
  count_ += finite;
  return Range{low, high};
}

void Histogram::merge(const Histogram& other) {
  not_finite_ += other.not_finite_;
  if (other.empty()) return;
  cover(other.min_, other.max_);
  add_counts(other);
}

void Histogram::add_counts(const Histogram& other) {
  const int shift = std::min(exponent_ - other.exponent_, 63);
  for (size_t i = 0; i < other.bins_.size(); ++i) {
    if (other.bins_[i] == 0) continue;
    const int64_t to = ((other.first_ + static_cast<int64_t>(i)) >> shift) - first_;
    LAPIS_ASSERT(to >= 0 && to < kBins, "bin " << i << " of the merged histogram does not fit");
    bins_[static_cast<size_t>(to)] += other.bins_[i];
  }
  count_ += other.count_;
}

float Histogram::quantile(double q) const {
  if (empty()) return 0;
  const double wanted = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
  if (wanted <= 0) return min_;
  double below = 0;
  for (size_t i = 0; i < bins_.size(); ++i) {
    const auto here = static_cast<double>(bins_[i]);
    if (here == 0 || below + here < wanted) {
      below += here;
      continue;
    }
    // The first and the last bin are filled only from min and only up to max.
    const double start = std::max<double>((static_cast<double>(first_) + static_cast<double>(i)) * bin_width(), min_);
    const double end = std::min<double>((static_cast<double>(first_) + static_cast<double>(i) + 1) * bin_width(), max_);
    return static_cast<float>(start + (end - start) * (wanted - below) / here);
  }
  return max_;
}

}  // namespace lapis
