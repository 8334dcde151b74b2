// Range methods against plain computations from their definitions, on the values themselves instead of histograms.
#include "passes/quantize/ranges.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace lapis {
namespace {

Observed seen(const std::vector<float>& values) {
  Observed o;
  o.add(values);
  return o;
}

std::vector<float> drawn(size_t count, const std::function<float(std::mt19937&)>& draw) {
  std::mt19937 random(7);
  std::vector<float> values(count);
  for (float& v : values) v = draw(random);
  return values;
}
// A narrow body and long tails, as activations have.
std::vector<float> laplace(size_t count) {
  return drawn(count, [](std::mt19937& r) {
    std::exponential_distribution<float> size(1);
    return (r() % 2 ? 1.0f : -1.0f) * size(r);
  });
}
std::vector<float> with(std::vector<float> values, std::initializer_list<float> more) {
  values.insert(values.end(), more);
  return values;
}

// ---- moving average -------------------------------------------------------------------------------------------------

TEST(MovingAverage, TakesTheFirstSampleAndAHundredthOfEachFurtherOne) {
  Observed o;
  o.add(std::vector<float>{-1, 0, 2});
  o.add(std::vector<float>{-3, 1});
  o.add(std::vector<float>{5, NAN});
  const float low = -1 * 0.99f * 0.99f - 3 * 0.01f * 0.99f + 5 * 0.01f;
  const float high = 2 * 0.99f * 0.99f + 1 * 0.01f * 0.99f + 5 * 0.01f;
  const Range r = range_of(o, {.method = RangeMethod::MovingAverage});
  EXPECT_NEAR(r.low, low, 1e-6);
  EXPECT_NEAR(r.high, high, 1e-6);
}

TEST(MovingAverage, IgnoresSamplesWithoutANumber) {
  Observed o;
  o.add(std::vector<float>{NAN});
  o.add(std::vector<float>{1, 2});
  EXPECT_EQ(range_of(o, {.method = RangeMethod::MovingAverage}), (Range{1, 2}));
}

// ---- entropy --------------------------------------------------------------------------------------------------------

// `_compute_amax_entropy` of NVIDIA's pytorch-quantization written out: every candidate's distributions in full.
float entropy_threshold(const std::vector<float>& values, double width, int steps) {
  std::vector<double> bins;
  for (const float v : values) {
    const auto bin = static_cast<size_t>(std::abs(v) / width);
    if (bin >= bins.size()) bins.resize(bin + 1, 0);
    ++bins[bin];
  }
  bins[0] = bins[1];
  double least = INFINITY;
  size_t best = bins.size();
  for (size_t n = static_cast<size_t>(steps); n <= bins.size(); ++n) {
    std::vector<double> p(bins.begin(), bins.begin() + static_cast<ptrdiff_t>(n)), q(n, 0);
    std::vector<double> sum(static_cast<size_t>(steps), 0), filled(static_cast<size_t>(steps), 0);
    const auto step = [&](size_t i) { return i * static_cast<size_t>(steps) / n; };
    for (size_t i = 0; i < n; ++i)
      if (p[i] != 0) sum[step(i)] += p[i], ++filled[step(i)];
    double q_total = 0, p_total = 0;
    for (size_t i = 0; i < n; ++i)
      if (p[i] != 0) q_total += q[i] = sum[step(i)] / filled[step(i)];
    for (size_t i = n; i < bins.size(); ++i) p[n - 1] += bins[i];
    for (const double x : p) p_total += x;
    double divergence = 0;
    for (size_t i = 0; i < n; ++i)
      if (p[i] != 0) divergence += p[i] / p_total * std::log((p[i] / p_total) / (q[i] / q_total));
    if (divergence <= least + 1e-12) {
      least = std::min(least, divergence);
      best = n;
    }
  }
  return static_cast<float>(static_cast<double>(best) * width);
}

TEST(Entropy, IsTheThresholdOfTheDefinition) {
  for (const size_t count : {2000u, 20000u}) {
    const std::vector<float> values = with(laplace(count), {25, -31});
    const Observed o = seen(values);
    const float t = entropy_threshold(values, o.histogram.bin_width(), 128);
    EXPECT_LT(t, 25) << "the case must cut something off";
    EXPECT_EQ(entropy_range(o.histogram), (Range{-t, t})) << count;
  }
}

TEST(Entropy, HasTwiceTheStepsForValuesOfOneSignAndNeverLeavesTheExtremes) {
  std::vector<float> values = laplace(20000);
  for (float& v : values) v = std::max(v, 0.0f);
  values.push_back(40);
  const Observed o = seen(values);
  const float t = entropy_threshold(values, o.histogram.bin_width(), 256);
  EXPECT_LT(t, 40);
  EXPECT_EQ(entropy_range(o.histogram), (Range{0, t}));
}

TEST(Entropy, KeepsEverythingOfFewOrDegenerateValues) {
  EXPECT_EQ(entropy_range({}), (Range{0, 0}));
  EXPECT_EQ(entropy_range(seen({3, 3, 3}).histogram).high, 3);
  EXPECT_EQ(entropy_range(seen({0, 0}).histogram), (Range{0, 0}));
  const Range far = entropy_range(seen({1000, 1000.25f, 1001}).histogram);
  EXPECT_GE(far.high, 1000);
  constexpr float kHuge = std::numeric_limits<float>::max();
  EXPECT_TRUE(std::isfinite(entropy_range(seen({-kHuge, 1, kHuge}).histogram).high));
}

const Scheme kUInt8{DType::UInt8, false, Granularity::Tensor}, kInt8{DType::Int8, true, Granularity::Tensor},
    kUInt16{DType::UInt16, false, Granularity::Tensor};

// Nearly all values are the background of a picture, in one bin. What merging that bin with its neighbours costs by
// this measure is more than what cutting off all that stands on it does.
TEST(Entropy, GivesWayToEverythingSeenWhereThatIsCloser) {
  std::vector<float> values(200000, 0.05f);
  const std::vector<float> text =
      drawn(4000, [](std::mt19937& r) { return std::uniform_real_distribution<float>(-10, 10)(r); });
  values.insert(values.end(), text.begin(), text.end());
  const Observed o = seen(values);
  EXPECT_LT(entropy_range(o.histogram).high, 5) << "the case must cut off a lot";
  EXPECT_EQ(range_of(o, {.method = RangeMethod::Entropy}), (Range{o.histogram.min(), o.histogram.max()}));
  // A threshold that is closer to the values stays.
  const Observed tails = seen(laplace(200000));
  const Range cut = entropy_range(tails.histogram);
  ASSERT_LT(rounding_error(tails.histogram, cut, kUInt8),
            rounding_error(tails.histogram, {tails.histogram.min(), tails.histogram.max()}, kUInt8));
  EXPECT_EQ(range_of(tails, {.method = RangeMethod::Entropy}), cut);
}

// ---- mean squared error ---------------------------------------------------------------------------------------------

double squared_error(const std::vector<float>& values, double low, double high) {
  const double step = (high - low) / 255, zero = std::round(-low / step);
  double error = 0;
  for (const float v : values) {
    const double rounded = (std::clamp(std::nearbyint(v / step) + zero, 0.0, 255.0) - zero) * step;
    error += (v - rounded) * (v - rounded);
  }
  return error / static_cast<double>(values.size());
}

TEST(Mse, IsAsGoodAsTryingEveryPairOfEnds) {
  const std::vector<float> values = with(laplace(3000), {20, -9});
  double least = INFINITY;
  for (int low = 1; low <= 64; ++low)
    for (int high = 1; high <= 64; ++high)
      least = std::min(least, squared_error(values, -9.0 * low / 64, 20.0 * high / 64));
  const Range r = range_of(seen(values), {.method = RangeMethod::Mse});
  EXPECT_LT(r.high, 20);
  EXPECT_LE(squared_error(values, r.low, r.high), 1.01 * least);
}

TEST(Mse, ItsErrorIsThatOfTheValues) {
  const std::vector<float> values = laplace(5000);
  const double expected = squared_error(values, -4, 3);
  EXPECT_NEAR(rounding_error(seen(values).histogram, {-4, 3}, kUInt8), expected, 0.02 * expected);
}

// How much is worth cutting off depends on how fine the integers are.
TEST(Mse, IsOfTheIntegersThatTheValuesBecome) {
  const Observed o = seen(with(laplace(200000), {20, -14}));
  const auto best = [&](const Scheme& scheme) { return range_of(o, {.method = RangeMethod::Mse}, scheme); };
  EXPECT_LT(best(kUInt8).high, 20);
  EXPECT_EQ(best(kUInt16), (Range{-14, 20})) << "sixteen bits have room for everything";
  const double least = rounding_error(o.histogram, best(kInt8), kInt8);
  for (int k = 1; k <= 128; ++k) {
    const float limit = 20 * static_cast<float>(k) / 128;
    EXPECT_LE(least, rounding_error(o.histogram, {-limit, limit}, kInt8) * 1.0001) << limit;
  }
}

// A share of all values says nothing of how large what it cuts off is: two of these are characters on a page.
TEST(Ranges, TheUsualOneKeepsTheFewThatMatter) {
  const Observed o =
      seen(with(drawn(400000, [](std::mt19937& r) { return std::uniform_real_distribution<float>(0, 1)(r); }), {4, 4}));
  EXPECT_LT(range_of(o, {.method = RangeMethod::Percentile}).high, 1.1f);
  EXPECT_GT(range_of(o, {}).high, 3);
}

// 127 times such a number is infinite.
TEST(Mse, EndsForTheLargestNumbers) {
  for (const float largest : {1e37F, std::numeric_limits<float>::max()}) {
    const Range r = mse_range(seen({0, 1, largest, -largest}).histogram, kUInt8);
    EXPECT_TRUE(std::isfinite(r.low) && std::isfinite(r.high)) << r.low << " " << r.high;
    EXPECT_LE(r.low, 0);
    EXPECT_GT(r.high, largest / 2);
  }
}

TEST(Mse, KeepsWhatHasNoTails) {
  const std::vector<float> values =
      drawn(5000, [](std::mt19937& r) { return std::uniform_real_distribution<float>(-2, 1)(r); });
  const Range r = mse_range(seen(values).histogram, kUInt8);
  EXPECT_LT(r.low, -1.98f);
  EXPECT_GT(r.high, 0.98f);
  EXPECT_EQ(mse_range(Histogram(), kUInt8), (Range{0, 0}));
}

}  // namespace
}  // namespace lapis
