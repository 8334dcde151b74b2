// Integers that are not simply the nearest: AdaRound, GPTQ of convolutions, restored means and deviations.
#include "passes/quantize/adaround.h"
#include "passes/quantize/moments.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

constexpr Scheme kChannels{DType::Int8, true, Granularity::Channel, 0};
constexpr Scheme kFourBits{DType::Int4, true, Granularity::Channel, 0};

std::vector<double> numbers(const Tensor& t) { return {t.data<float>().begin(), t.data<float>().end()}; }

// x^T x of correlated inputs.
Moments correlated(int64_t inputs, unsigned seed) {
  const Tensor mixing = random_tensor({inputs, inputs}, seed);
  Moments h(static_cast<size_t>(inputs * inputs), 0);
  const auto n = static_cast<size_t>(inputs);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      for (size_t k = 0; k < n; ++k)
        h[i * n + j] += double{mixing.data<float>()[i * n + k]} * mixing.data<float>()[j * n + k];
  return h;
}

double loss(const std::vector<double>& w, const RoundedWeights& r, int64_t inputs, const std::vector<Moments>& h) {
  const auto n = static_cast<size_t>(inputs);
  const size_t outputs = w.size() / n, each = outputs / h.size();
  double sum = 0;
  for (size_t o = 0; o < outputs; ++o)
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) {
        const auto d = [&](size_t k) {
          return w[o * n + k] - static_cast<double>(r.integers[o * n + k]) * r.scales[o];
        };
        sum += d(i) * h[o / each][i * n + j] * d(j);
      }
  return sum;
}

TEST(AdaRound, LosesLessOfTheProductThanTheNearestIntegersAndStaysBesideTheWeights) {
  const std::vector<double> w = numbers(random_tensor({6, 24}, 1));
  const std::vector<Moments> h = {correlated(24, 2), correlated(24, 3)};
  const RoundedWeights nearest = round_weights(w, 24, kFourBits, nullptr);
  const auto learned = adaround(w, 24, kFourBits, h, *reference_evaluator());
  ASSERT_TRUE(learned.ok()) << to_string(learned.diagnostics());
  EXPECT_EQ(learned->scales, nearest.scales);
  EXPECT_LT(loss(w, *learned, 24, h), 0.6 * loss(w, nearest, 24, h));
  for (size_t i = 0; i < w.size(); ++i) {
    const double steps = w[i] / learned->scales[i / 24];
    EXPECT_LT(std::abs(static_cast<double>(learned->integers[i]) - steps), 1.0) << "up or down, no further";
  }
}

TEST(AdaRound, LearnsOutputsOfAnySize) {
  std::vector<double> w = numbers(random_tensor({2, 24}, 1));
  for (size_t i = 0; i < 24; ++i) w[i] = w[i + 24] / 1024;
  const auto learned = adaround(w, 24, kFourBits, {correlated(24, 2)}, *reference_evaluator());
  ASSERT_TRUE(learned.ok()) << to_string(learned.diagnostics());
  EXPECT_EQ(std::vector<int64_t>(learned->integers.begin(), learned->integers.begin() + 24),
            std::vector<int64_t>(learned->integers.begin() + 24, learned->integers.end()));
  EXPECT_NE(learned->integers, round_weights(w, 24, kFourBits, nullptr).integers);
}

TEST(AdaRound, LeavesWhatIsPruned) {
  std::vector<double> w = numbers(random_tensor({6, 24}, 1));
  for (size_t i = 0; i < w.size(); i += 2) w[i] = 0;
  const auto learned = adaround(w, 24, kFourBits, {correlated(24, 2)}, *reference_evaluator());
  ASSERT_TRUE(learned.ok()) << to_string(learned.diagnostics());
  for (size_t i = 0; i < w.size(); i += 2) EXPECT_EQ(learned->integers[i], 0) << i;
}

TEST(AdaRound, OfIndependentInputsIsRoundingToTheNearest) {
  const std::vector<double> w = numbers(random_tensor({2, 8}, 1));
  Moments h(64, 0);
  for (size_t i = 0; i < 8; ++i) h[i * 9] = 1;
  const auto learned = adaround(w, 8, kFourBits, {h}, *reference_evaluator());
  ASSERT_TRUE(learned.ok());
  EXPECT_EQ(learned->integers, round_weights(w, 8, kFourBits, nullptr).integers);
}

TEST(AdaRound, OfInputsThatWereNeverSeenIsRoundingToTheNearest) {
  const std::vector<double> w = numbers(random_tensor({2, 8}, 1));
  const auto learned = adaround(w, 8, kFourBits, {Moments(64, 0)}, *reference_evaluator());
  ASSERT_TRUE(learned.ok());
  EXPECT_EQ(learned->integers, round_weights(w, 8, kFourBits, nullptr).integers);
}

// ---- moments ------------------------------------------------------------------------------------------------------------

TEST(Moments, OfAConvolutionAreThoseOfItsPatchesInEachGroup) {
  Net net;
  Value* x = net.input({2, 4, 5, 5});
  Value* w = net.constant(random_tensor({6, 2, 3, 3}, 7));
  Value* y = net.add(
      ops::Conv, {x, w},
      {{"group", int64_t{2}}, {"pads", std::vector<int64_t>{1, 0, 1, 0}}, {"strides", std::vector<int64_t>{2, 1}}});
  net.graph.set_outputs({y});
  const Feeds feeds = net.feeds();
  GroupMoments moments;
  Node* node = y->producer();
  const Status measured = for_each_moments(net.graph, {&node, 1}, *reference_evaluator(), samples_of({feeds, feeds}), 2,
                                           [&](Node&, const GroupMoments& m) -> Status {
                                             moments = m;
                                             return ok();
                                           });
  ASSERT_TRUE(measured.ok()) << to_string(measured.diagnostics());
  ASSERT_EQ(moments.size(), 2u);
  // w^T H w is the length of the results of an output, over both samples.
  const Tensor results = (*evaluate(net.graph, feeds))[0];
  for (int64_t o = 0; o < 6; ++o) {
    double expected = 0, actual = 0;
    const int64_t plane = results.dim(2) * results.dim(3);
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < plane; ++i) expected += 2 * std::pow(results.as_double((n * 6 + o) * plane + i), 2);
    for (int64_t i = 0; i < 18; ++i)
      for (int64_t j = 0; j < 18; ++j)
        actual += w->constant().as_double(o * 18 + i) *
                  moments[static_cast<size_t>(o / 3)][static_cast<size_t>(i * 18 + j)] *
                  w->constant().as_double(o * 18 + j);
    EXPECT_NEAR(actual, expected, 1e-3 * expected) << o;
  }
}

// ---- restored moments -----------------------------------------------------------------------------------------------------

struct Statistics {
  double mean = 0, deviation = 0;
};
template <class At> Statistics statistics(size_t count, At&& at) {
  Statistics s;
  for (size_t i = 0; i < count; ++i) s.mean += at(i) / static_cast<double>(count);
  for (size_t i = 0; i < count; ++i) s.deviation += std::pow(at(i) - s.mean, 2) / static_cast<double>(count);
  s.deviation = std::sqrt(s.deviation);
  return s;
}

TEST(RestoreMoments, MeanAndDeviationAreThoseOfTheWeights) {
  std::vector<double> w = numbers(random_tensor({3, 64}, 1));
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = i % 64 == 0 ? 40 : w[i] + 0.4;  // most lie on one side of the middle of a step
  RoundedWeights plain = round_weights(w, 64, kChannels, nullptr), restored = plain;
  restore_moments(w, 64, kChannels, restored);
  for (size_t o = 0; o < 3; ++o) {
    const auto of = [&](const RoundedWeights& r) {
      return statistics(64, [&](size_t i) { return static_cast<double>(r.integers[o * 64 + i]) * r.scales[o]; });
    };
    const Statistics wanted = statistics(64, [&](size_t i) { return w[o * 64 + i]; });
    EXPECT_NEAR(of(restored).deviation, wanted.deviation, 1e-5 * wanted.deviation);
    EXPECT_LE(std::abs(of(restored).mean - wanted.mean), 0.51 * restored.scales[o] / 64 + 1e-3 * std::abs(wanted.mean));
    EXPECT_LE(std::abs(of(restored).mean - wanted.mean), std::abs(of(plain).mean - wanted.mean) + 1e-9);
  }
}

// ---- models -----------------------------------------------------------------------------------------------------------

struct Mixed : Net {
  Mixed() {
    Value* x = add(ops::Relu, {conv(input({2, 3, 8, 8}), 8)});
    x = conv(x, 8, 3, "conv");
    graph.set_outputs({gemm(add(ops::Reshape, {x, ints({2, 512})}), 6, "gemm")});
  }
};

double quality(WeightAlgorithm algorithm, Scheme weights, bool correct = false) {
  Mixed net;
  Recipe recipe;
  recipe.defaults.algorithm = algorithm;
  recipe.defaults.weights = weights;
  recipe.defaults.correct_weights = correct;
  recipe.defaults.range.method = RangeMethod::MinMax;
  std::vector<Feeds> samples;
  for (unsigned seed = 1; seed < 12; seed += 2) samples.push_back(net.feeds(seed));
  const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of(samples), {.recipe = recipe});
  EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_TRUE(verify(net.graph).empty()) << to_string(verify(net.graph));
  return report->damage->outputs[0].sqnr;
}

TEST(RoundedWeights, OfBothAlgorithmsAreBetterThanTheNearestInModelsOfBytes) {
  const double nearest = quality(WeightAlgorithm::Round, kChannels);
  EXPECT_GT(quality(WeightAlgorithm::AdaRound, kChannels), nearest + 1);
  EXPECT_GT(quality(WeightAlgorithm::Gptq, kChannels), nearest + 1);
  const Scheme tensor{DType::Int8, true, Granularity::Tensor, 0};
  EXPECT_GT(quality(WeightAlgorithm::AdaRound, tensor), quality(WeightAlgorithm::Round, tensor));
  EXPECT_GT(quality(WeightAlgorithm::Round, kChannels, true), nearest - 1);
}

TEST(RoundedWeights, AloneAreBetterByBothAlgorithmsThanTheNearest) {
  const auto alone = [](WeightAlgorithm algorithm) {
    Mixed net;
    Recipe recipe;
    recipe.defaults.algorithm = algorithm;
    recipe.defaults.data.type = DType::Float32;
    recipe.defaults.weights = {DType::Int4, true, Granularity::Block, 32};
    const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of({net.feeds(1), net.feeds(3)}),
                                        {.recipe = recipe});
    EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
    return report->damage->outputs[0].sqnr;
  };
  const double nearest = alone(WeightAlgorithm::Round);
  EXPECT_GT(alone(WeightAlgorithm::AdaRound), nearest + 2);
  EXPECT_GT(alone(WeightAlgorithm::Gptq), nearest + 3);
}

TEST(RoundedWeights, WithoutSamplesOnlyWhatNeedsNone) {
  Mixed net;
  Recipe recipe;
  recipe.defaults.range.method = RangeMethod::Dynamic;
  recipe.defaults.correct_weights = true;
  const std::unique_ptr<Graph> plain = net.graph.clone();
  ASSERT_TRUE(quantize_dynamic(net.graph, {.recipe = recipe}).ok());
  recipe.defaults.correct_weights = false;
  ASSERT_TRUE(quantize_dynamic(*plain, {.recipe = recipe}).ok());
  EXPECT_NE((*evaluate(net.graph, net.feeds()))[0], (*evaluate(*plain, net.feeds()))[0]);
  recipe.defaults.algorithm = WeightAlgorithm::AdaRound;
  Mixed other;
  const auto refused = quantize_dynamic(other.graph, {.recipe = recipe});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(to_string(refused.diagnostics()).find("`algorithm: adaround` needs samples"), std::string::npos);
}

}  // namespace
}  // namespace lapis::testing
