#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/quantize/calibrate.h"

namespace lapis {
namespace {

std::vector<float> normal_values(size_t count, float scale, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

Histogram histogram_of(std::span<const float> values) {
  Histogram h;
  h.add(values);
  return h;
}

TEST(Histogram, KeepsExactEndsAndCountsFiniteValues) {
  Histogram h = histogram_of(std::vector<float>{1.5f, -2.25f, NAN, 0, INFINITY, 7.125f, -INFINITY});
  EXPECT_EQ(h.min(), -2.25f);
  EXPECT_EQ(h.max(), 7.125f);
  EXPECT_EQ(h.count(), 4);
  EXPECT_EQ(h.not_finite(), 3);
}

TEST(Histogram, QuantilesAreWithinABinOfTheSortedValues) {
  std::vector<float> values = normal_values(20000, 3, 1);
  const Histogram h = histogram_of(values);
  std::sort(values.begin(), values.end());
  for (const double q : {0.001, 0.1, 0.5, 0.9, 0.999})
    EXPECT_NEAR(h.quantile(q), values[static_cast<size_t>(q * 20000)], h.bin_width() + 0.02) << q;
  EXPECT_EQ(h.quantile(0), values.front());
  EXPECT_EQ(h.quantile(1), values.back());
}

TEST(Histogram, InterpolatesWithinABin) {
  Histogram h;
  h.add(std::vector<float>{0, 2048});    // bins of width 2
  h.add(std::vector<float>(998, 1.0f));  // the first bin now holds 999 values
  EXPECT_EQ(h.bin_width(), 2);
  EXPECT_FLOAT_EQ(h.quantile(0.4995), 1.0f);  // 499.5 of the 999 values of [0, 2)
}

TEST(Histogram, DoesNotDependOnOrderOrSplit) {
  const std::vector<float> small = normal_values(500, 0.01f, 2), large = normal_values(500, 40, 3),
                           middle = normal_values(500, 1, 4);
  Histogram forward, backward, merged;
  for (const auto* part : {&small, &middle, &large}) forward.add(*part);
  for (const auto* part : {&large, &middle, &small}) backward.add(*part);
  for (const auto* part : {&middle, &small, &large}) merged.merge(histogram_of(*part));
  EXPECT_EQ(forward.bin_width(), backward.bin_width());
  for (int i = 0; i <= 1000; ++i) {
    EXPECT_EQ(forward.quantile(i / 1000.0), backward.quantile(i / 1000.0)) << i;
    EXPECT_EQ(forward.quantile(i / 1000.0), merged.quantile(i / 1000.0)) << i;
  }
}

TEST(Histogram, SurvivesExtremeRanges) {
  constexpr float kHuge = std::numeric_limits<float>::max(), kTiny = std::numeric_limits<float>::denorm_min();
  Histogram h;
  h.add(std::vector<float>{0, 0, 0});
  EXPECT_EQ(h.quantile(0.5), 0);
  h.add(std::vector<float>{kTiny, -kTiny});
  h.add(std::vector<float>{1, 1.0000001f});
  h.add(std::vector<float>{-kHuge, kHuge});
  EXPECT_EQ(h.min(), -kHuge);
  EXPECT_EQ(h.max(), kHuge);
  EXPECT_EQ(h.count(), 9);
  EXPECT_LE(h.quantile(0.2), h.quantile(0.8));
}

TEST(Histogram, OfOneRepeatedValueIsThatValue) {
  const Histogram h = histogram_of(std::vector<float>(10, -3.75f));
  EXPECT_EQ(h.quantile(0.3), -3.75f);
  EXPECT_EQ(h.quantile(1), -3.75f);
}

// y = x @ w on a batch of unknown size.
struct Model {
  Graph graph;
  Value *x, *y;
  Model() {
    x = graph.add_input("x", Type::tensor(DType::Float32, Dims{Dim::symbol("N"), 2}));
    y = graph.add_node(ops::MatMul, {x, graph.add_constant(Tensor::of<float>({2, 2}, {1, 0, 0, -10}))}, {}, {"y"})
            ->output();
    Node* probability = graph.add_node(ops::Softmax, {y}, {}, {"p"});
    graph.set_outputs({probability->output()});
    EXPECT_TRUE(infer_types(graph).ok());
  }
  Result<Calibration> calibrated(std::vector<Feeds> feeds, CalibrateOptions options = {}) {
    return calibrate(graph, {"x", "y", "p"}, *reference_evaluator(), samples_of(std::move(feeds)), options);
  }
};
Feeds feed(Shape shape, std::vector<float> values) {
  return {{"x", Tensor::of<float>(std::move(shape), std::move(values))}};
}

TEST(Calibrate, CollectsInputsInnerValuesAndOutputsOverBatchesOfAnySize) {
  Model m;
  auto c = m.calibrated({feed({1, 2}, {1, 2}), feed({2, 2}, {-3, 0.5, 0, 0}), feed({1, 2}, {4, -1})});
  ASSERT_TRUE(c.ok()) << to_string(c.diagnostics());
  const RangeOptions all{.method = RangeMethod::MinMax};
  EXPECT_EQ(c->samples, 3);
  EXPECT_EQ(c->range("x", all), (Range{-3, 4}));
  EXPECT_EQ(c->range("y", all), (Range{-20, 10}));
  EXPECT_EQ(c->values.at("p").histogram.count(), 8);
}

TEST(Calibrate, PercentileCutsBothEnds) {
  std::vector<float> values(20000, 0.5f);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 20000;
  values[0] = -1000;
  Model m;
  auto c = m.calibrated({feed({10000, 2}, values)});
  ASSERT_TRUE(c.ok());
  EXPECT_EQ(c->range("x", {.method = RangeMethod::MinMax}).low, -1000);
  EXPECT_GT(c->range("x", {.method = RangeMethod::Percentile, .percentile = 99.9}).low, -0.5f);
}

TEST(Calibrate, StopsAtTheWantedNumberOfSamplesAndReportsProgress) {
  Model m;
  std::vector<int64_t> seen;
  CalibrateOptions options;
  options.samples = 2;
  options.progress = [&](int64_t done, int64_t of) { seen.push_back(done * 10 + of); };
  auto c = m.calibrated({feed({1, 2}, {1, 1}), feed({1, 2}, {2, 2}), feed({1, 2}, {3, 3})}, options);
  ASSERT_TRUE(c.ok());
  EXPECT_EQ(c->range("x", {.method = RangeMethod::MinMax}).high, 2);
  EXPECT_EQ(seen, (std::vector<int64_t>{12, 22}));
}

TEST(Calibrate, SaysWhichSampleDoesNotFitAndWhatWasExpected) {
  Model m;
  auto c = m.calibrated({feed({1, 2}, {1, 1}), feed({1, 3}, {1, 2, 3})});
  ASSERT_FALSE(c.ok());
  const std::string text = to_string(c.diagnostics());
  EXPECT_EQ(c.diagnostics()[0].kind, ErrorKind::Mismatch);
  EXPECT_NE(text.find("calibration sample 1: input 'x'"), std::string::npos) << text;
  EXPECT_NE(text.find("float[N,2]"), std::string::npos) << text;
}

TEST(Calibrate, WarnsOfSomeAndFailsOnOnlyNonFiniteValues) {
  Model m;
  auto some = m.calibrated({feed({2, 2}, {1, NAN, 1, 1})});
  ASSERT_TRUE(some.ok());
  EXPECT_NE(to_string(some->warnings).find("value 'x': warning: 1 of 4 values"), std::string::npos)
      << to_string(some->warnings);
  auto none = m.calibrated({feed({1, 2}, {NAN, NAN})});
  ASSERT_FALSE(none.ok());
  EXPECT_NE(to_string(none.diagnostics()).find("NaN or infinite"), std::string::npos);
}

TEST(Calibrate, NeedsASample) {
  auto c = Model().calibrated({});
  ASSERT_FALSE(c.ok());
  EXPECT_EQ(c.diagnostics()[0].kind, ErrorKind::Mismatch);
}

}  // namespace
}  // namespace lapis
