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

// ---- moments --------------------------------------------------------------------------------------------------------

using MomentsByNode = std::map<const Node*, InputMoments>;

MomentsByNode moments_of(const Net& net, const std::vector<Node*>& nodes, const MomentsOptions& options,
                         Evaluator& evaluator, const std::vector<Feeds>& samples) {
  MomentsByNode found;
  const Status measured = for_each_moments(net.graph, nodes, options, evaluator, samples_of(samples), 100,
                                           [&](Node& node, const InputMoments& m) -> Status {
                                             found[&node] = m;
                                             return ok();
                                           });
  EXPECT_TRUE(measured.ok()) << to_string(measured.diagnostics());
  return found;
}

// [outputs][inputs] weights of a convolution in the order of the moments, and its bias behind them.
std::vector<double> rows_as_measured(const Node& conv, const InputMoments& m, InputOrder order) {
  const Tensor& w = conv.input(1)->constant();
  const int64_t channels = w.dim(1), taps = w.size() / w.dim(0) / channels;
  std::vector<double> rows;
  for (int64_t o = 0; o < w.dim(0); ++o) {
    for (int64_t i = 0; i < channels * taps; ++i)
      rows.push_back(
          w.as_double(o * channels * taps + (order == InputOrder::ByChannel ? i : i % channels * taps + i / channels)));
    if (m.ones) rows.push_back(conv.input(2)->constant().as_double(o));
  }
  return rows;
}

// w^T H w is the length of the results of an output, over all samples:
// it holds for the right moments in the right order only.
void expect_lengths_of_results(const Net& net, const Node& conv, const InputMoments& m, InputOrder order,
                               const std::vector<Feeds>& samples) {
  const std::vector<double> w = rows_as_measured(conv, m, order);
  const auto n = static_cast<size_t>(m.size);
  const size_t outputs = w.size() / n;
  std::vector<double> expected(outputs, 0);
  for (const Feeds& feeds : samples) {
    const Tensor results = (*evaluate(net.graph, feeds))[0];
    const int64_t plane = results.dim(2) * results.dim(3);
    for (int64_t i = 0; i < results.size(); ++i)
      expected[static_cast<size_t>(i / plane) % outputs] += std::pow(results.as_double(i), 2);
  }
  for (size_t o = 0; o < outputs; ++o) {
    const Moments& h = m.groups[o * m.groups.size() / outputs];
    double actual = 0;
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) actual += w[o * n + i] * h[i * n + j] * w[o * n + j];
    EXPECT_NEAR(actual, expected[o], 1e-3 * expected[o]) << o;
  }
}

TEST(Moments, OfAConvolutionAreThoseOfItsPatchesInEachGroup) {
  const std::vector<Attributes> paddings = {{{"pads", std::vector<int64_t>{1, 0, 1, 0}}},
                                            {{"auto_pad", std::string("SAME_UPPER")}},
                                            {{"auto_pad", std::string("SAME_LOWER")}},
                                            {{"auto_pad", std::string("VALID")}}};
  for (const Attributes& padding : paddings)
    for (const MomentsOptions options : {MomentsOptions{InputOrder::ByChannel}, {InputOrder::ByTap, true}}) {
      Net net;
      Attributes attributes = padding;
      attributes["group"] = int64_t{2};
      attributes["strides"] = std::vector<int64_t>{2, 1};
      std::vector<Value*> inputs = {net.input({2, 4, 5, 5}), net.constant(random_tensor({6, 2, 3, 3}, 7))};
      if (options.ones) inputs.push_back(net.constant(random_tensor({6}, 8)));
      Value* y = net.add(ops::Conv, inputs, attributes);
      net.graph.set_outputs({y});
      const std::vector<Feeds> samples = {net.feeds(1), net.feeds(2)};
      const auto found = moments_of(net, {y->producer()}, options, *reference_evaluator(), samples);
      const InputMoments& m = found.at(y->producer());
      ASSERT_EQ(m.groups.size(), 2u);
      EXPECT_EQ(m.size, options.ones ? 19 : 18);
      expect_lengths_of_results(net, *y->producer(), m, options.order, samples);
    }
}

// y = W2 relu(W1 x): what the second product reads after the first has lost its last output,
// beside what it read before.
TEST(Moments, OfAModelThatChangesAreThoseOfBothModels) {
  Net net;
  Value* x = net.input({5, 4});
  Value* first = net.add(ops::MatMul, {x, net.constant(random_tensor({4, 3}, 1))});
  Value* between = net.add(ops::Relu, {first});
  Value* second = net.add(ops::MatMul, {between, net.constant(random_tensor({3, 2}, 2))}, {}, "y");
  net.graph.set_outputs({between, second});
  const Tensor was = (*evaluate(net.graph, net.feeds()))[0];
  std::vector<Node*> nodes = {second->producer(), first->producer()};  // whatever their order
  InputMoments found;
  const auto use = [&](Node& node, const InputMoments& m) -> Status {
    if (&node == second->producer()) return found = m, ok();
    EXPECT_EQ(m.groups, m.from) << "nothing has changed before it";
    Tensor w = node.input(1)->constant();
    for (int64_t i = 0; i < 4; ++i) w.mutable_data<float>()[static_cast<size_t>(3 * i + 2)] = 0;
    node.set_input(1, net.graph.add_constant(std::move(w)));
    return ok();
  };
  const MomentsOptions options{InputOrder::ByTap, false, true};
  const Status measured =
      for_each_moments(net.graph, nodes, options, *reference_evaluator(), samples_of({net.feeds()}), 1, use);
  ASSERT_TRUE(measured.ok()) << to_string(measured.diagnostics());
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) {
      double now = 0, from = 0;
      for (int64_t r = 0; r < 5; ++r) {
        const double a = was.as_double(3 * r + static_cast<int64_t>(i)),
                     b = was.as_double(3 * r + static_cast<int64_t>(j));
        from += j == 2 ? 0 : a * b;
        now += i == 2 || j == 2 ? 0 : a * b;
      }
      EXPECT_NEAR(found.groups[0][i * 3 + j], now, 1e-4);
      EXPECT_NEAR(found.from[0][i * 3 + j], from, 1e-4);
    }
}

// Counts what a model computes.
class CountingEvaluator : public Evaluator {
 public:
  Status load(const Graph& graph, const std::vector<std::string>& watched) override {
    most_outputs = std::max(most_outputs, graph.outputs().size());
    return inner_->load(graph, watched);
  }
  Result<Feeds> run(const Feeds& feeds) override { return inner_->run(feeds); }
  size_t most_outputs = 0;

 private:
  std::unique_ptr<Evaluator> inner_ = reference_evaluator();
};

TEST(Moments, OfNodesThatReadOneValueAreMeasuredOnce) {
  Net net;
  Value* x = net.input({3, 4});
  Value* a = net.add(ops::MatMul, {x, net.constant(random_tensor({4, 6}, 1))});
  Value* b = net.add(ops::MatMul, {x, net.constant(random_tensor({4, 2}, 2))});
  Value* c = net.gemm(x, 5, "c");  // it can take a bias: with the 1 it is another measurement
  net.graph.set_outputs({a, b, c});
  const std::vector<Node*> nodes = {a->producer(), b->producer(), c->producer()};
  CountingEvaluator evaluator;
  const auto plain = moments_of(net, nodes, {}, evaluator, {net.feeds()});
  EXPECT_EQ(evaluator.most_outputs, 1u);
  EXPECT_EQ(plain.at(nodes[0]).groups, plain.at(nodes[1]).groups);
  const auto with_ones = moments_of(net, nodes, {InputOrder::ByTap, true}, evaluator, {net.feeds()});
  EXPECT_EQ(evaluator.most_outputs, 2u);
  EXPECT_EQ(with_ones.at(nodes[1]).size, 4);
  EXPECT_EQ(with_ones.at(nodes[2]).size, 5);
  EXPECT_EQ(with_ones.at(nodes[2]).groups[0].back(), 3);  // rows
}

// ---- restored moments -----------------------------------------------------------------------------------------------

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

// ---- models ---------------------------------------------------------------------------------------------------------

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
