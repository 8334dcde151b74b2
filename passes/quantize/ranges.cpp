#include "passes/quantize/ranges.h"

#include <cmath>

#include "base/check.h"
#include "passes/quantize/params.h"

namespace lapis {

namespace {

// How many values have a magnitude in bin i, by the histogram's bins, or wider ones if the values lie far from 0.
struct Magnitudes {
  std::vector<double> counts;
  double width = 0;
};

Magnitudes magnitudes_of(const Histogram& h) {
  const auto magnitude = [](int64_t bin) { return bin < 0 ? -bin - 1 : bin; };
  const int64_t first = h.first_bin(), last = first + Histogram::kBins - 1;
  int shift = 0;
  while (std::max(magnitude(first), magnitude(last)) >> shift >= Histogram::kBins) ++shift;
  Magnitudes m{std::vector<double>(Histogram::kBins, 0.0), std::ldexp(h.bin_width(), shift)};
  for (size_t i = 0; i < h.bins().size(); ++i)
    m.counts[static_cast<size_t>(magnitude(first + static_cast<int64_t>(i)) >> shift)] +=
        static_cast<double>(h.bins()[i]);
  while (!m.counts.empty() && m.counts.back() == 0) m.counts.pop_back();
  return m;
}

double times_log(double x) { return x == 0 ? 0 : x * std::log(x); }

// Sums over the first i bins, so that a candidate costs its steps and not its bins.
class Divergence {
 public:
  Divergence(const std::vector<double>& counts, int64_t steps) : counts_(counts), steps_(steps) {
    for (const double c : counts) {
      sums_.push_back(sums_.back() + c);
      logs_.push_back(logs_.back() + times_log(c));
      filled_.push_back(filled_.back() + (c > 0));
    }
  }

  // Of the distribution P of all values with what lies beyond `bins` bins in the last of them, from Q, the first `bins`
  // bins merged into equal steps, and each step spread evenly over those of its bins that are not empty:  sum p/N
  // log((p/N) / (q/M)).
  double at(int64_t bins) const {
    const auto end = static_cast<size_t>(bins);
    const double all = sums_.back(), kept = sums_[end], last = counts_[end - 1], beyond = all - kept;
    if (kept == 0 || (last == 0 && beyond > 0)) return INFINITY;  // Q has nothing where P has the rest
    double p_log_p = logs_[end - 1] + times_log(last + beyond), p_log_q = 0;
    for (int64_t step = 0; step < steps_; ++step) {
      const size_t from = edge(step, bins), to = edge(step + 1, bins);
      const double count = sums_[to] - sums_[from];
      if (count == 0) continue;
      const double q = std::log(count / (filled_[to] - filled_[from]));
      p_log_q += (to == end ? count + beyond : count) * q;
    }
    return (p_log_p - p_log_q) / all - std::log(all) + std::log(kept);
  }

 private:
  size_t edge(int64_t step, int64_t bins) const { return static_cast<size_t>((step * bins + steps_ - 1) / steps_); }

  const std::vector<double>& counts_;
  const int64_t steps_;
  std::vector<double> sums_{0}, logs_{0}, filled_{0};
};

}  // namespace

void MovingRange::add(Range sample) {
  if (first_) average_ = sample;
  first_ = false;
  average_.low += kConstant * (sample.low - average_.low);
  average_.high += kConstant * (sample.high - average_.high);
}

void Observed::add(std::span<const float> sample) {
  if (const std::optional<Range> finite = histogram.add(sample)) moving.add(*finite);
}

Range percentile_range(const Histogram& histogram, double percentile) {
  const double tail = (100 - percentile) / 200;
  return {histogram.quantile(tail), histogram.quantile(1 - tail)};
}

Range entropy_range(const Histogram& h) {
  if (h.empty()) return {};
  Magnitudes m = magnitudes_of(h);
  const auto bins = static_cast<int64_t>(m.counts.size());
  const int64_t steps = h.min() < 0 && h.max() > 0 ? 128 : 256;
  if (bins <= steps) return {h.min(), h.max()};
  m.counts[0] = m.counts[1];
  const Divergence divergence(m.counts, steps);
  int64_t best = bins;
  double least = INFINITY;
  for (int64_t i = steps; i <= bins; ++i)
    if (const double d = divergence.at(i); d <= least) {  // the widest of equals
      least = d;
      best = i;
    }
  const auto limit = static_cast<float>(static_cast<double>(best) * m.width);
  return {std::max(h.min(), -limit), std::min(h.max(), limit)};
}

double rounding_error(const Histogram& h, Range range, const Scheme& scheme) {
  const QuantParams params = params_of(range, scheme);
  const IntegerRange integers = integer_range(scheme.type);
  const double step = params.scale, zero = params.zero_point, lowest = static_cast<double>(integers.lowest),
               highest = static_cast<double>(integers.highest);
  double error = 0;
  for (size_t i = 0; i < h.bins().size(); ++i) {
    if (h.bins()[i] == 0) continue;
    const double x = (static_cast<double>(h.first_bin() + static_cast<int64_t>(i)) + 0.5) * h.bin_width();
    const double rounded = (std::clamp(std::nearbyint(x / step) + zero, lowest, highest) - zero) * step;
    error += static_cast<double>(h.bins()[i]) * (x - rounded) * (x - rounded);
  }
  return h.empty() ? 0 : error / static_cast<double>(h.count());
}

Range mse_range(const Histogram& h, const Scheme& scheme) {
  constexpr int kGrid = 128;
  const float extremes[] = {h.min(), h.max()};
  Range best{h.min(), h.max()};
  double least = rounding_error(h, best, scheme);
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto end : {&Range::low, &Range::high}) {
      const float extreme = extremes[end == &Range::high];
      for (int k = 1; k < kGrid; ++k) {
        Range candidate = best;
        candidate.*end = extreme * (static_cast<float>(k) / kGrid);  // no product beyond float
        const double error = rounding_error(h, candidate, scheme);
        if (!(error < least)) continue;  // nor one that is no number
        least = error;
        best = candidate;
        moved = true;
      }
    }
  }
  return best;
}

static Range closer_of(Range a, Range b, const Histogram& h, const Scheme& scheme) {
  return rounding_error(h, b, scheme) < rounding_error(h, a, scheme) ? b : a;
}

Range range_of(const Observed& seen, const RangeOptions& options, const Scheme& scheme) {
  const Histogram& h = seen.histogram;
  switch (options.method) {
    case RangeMethod::MinMax: return {h.min(), h.max()};
    case RangeMethod::Percentile: return percentile_range(h, options.percentile);
    case RangeMethod::MovingAverage: return seen.moving.range();
    case RangeMethod::Entropy: return closer_of(entropy_range(h), {h.min(), h.max()}, h, scheme);
    case RangeMethod::Mse: return mse_range(h, scheme);
    case RangeMethod::Dynamic: break;
  }
  LAPIS_UNREACHABLE("a range that is found during inference has no calibration");
}

}  // namespace lapis
