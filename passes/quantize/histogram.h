// Histogram: the distribution of a stream of values in constant memory. One pass over the data suffices: bins have a
// power-of-two width and start at multiples of it, so a range that outgrows them is met by merging neighbours, exactly.
// The counts therefore depend neither on the order of the values nor on how they were split into calls or merged
// histograms.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lapis {

struct Range {
  float low = 0, high = 0;
  bool operator==(const Range&) const = default;
};
inline Range unite(Range a, Range b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

class Histogram {
 public:
  static constexpr int64_t kBins = 2048;

  std::optional<Range> add(std::span<const float> values);  // the range of the finite ones among them
  void merge(const Histogram& other);

  int64_t count() const { return count_; }            // finite values
  int64_t not_finite() const { return not_finite_; }  // NaN and infinities: counted, never binned
  bool empty() const { return count_ == 0; }
  float min() const { return min_; }  // exact, of the finite values; 0 if there are none
  float max() const { return max_; }
  double bin_width() const;
  const std::vector<uint64_t>& bins() const { return bins_; }  // kBins of them, or none if it is empty
  int64_t first_bin() const { return first_; }  // bin i holds the values in (first_bin() + i + [0, 1)) * bin_width()

  // The value below which the share `q` (0..1) of all values lies, linear within a bin and never outside of [min, max].
  float quantile(double q) const;

 private:
  int64_t bin_of(double value) const;  // absolute: floor(value / width)
  void cover(float low, float high);   // widens and moves the bins so that both ends have one
  void rebin(int exponent, int64_t first);
  void add_counts(const Histogram& other);

  int exponent_ = 0;   // bins are 2^exponent_ wide
  int64_t first_ = 0;  // absolute number of bins_[0]
  std::vector<uint64_t> bins_;
  int64_t count_ = 0, not_finite_ = 0;
  float min_ = 0, max_ = 0;
};

}  // namespace lapis
