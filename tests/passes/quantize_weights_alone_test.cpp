// Weights in few bits beside float data.
#include "passes/quantize/weights_alone.h"

#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

constexpr Scheme kInt4{DType::Int4, true, Granularity::Block, 16};
constexpr Scheme kUInt4{DType::UInt4, false, Granularity::Block, 16};

Recipe weights_in(Scheme scheme, WeightAlgorithm algorithm = WeightAlgorithm::Round) {
  Recipe recipe;
  recipe.defaults.data = {DType::Float32};
  recipe.defaults.weights = scheme;
  recipe.defaults.algorithm = algorithm;
  return recipe;
}

// ---- rounding -------------------------------------------------------------------------------------------------------

TEST(RoundWeights, BlocksHaveTheirOwnSteps) {
  const Scheme halves{DType::Int4, true, Granularity::Block, 2};
  const RoundedWeights r = round_weights({7, -3.4, 0.7, 0.1, 0, 0, -70, 20}, 4, halves, nullptr);
  EXPECT_EQ(r.integers, (std::vector<int64_t>{7, -3, 7, 1, 0, 0, -7, 2}));
  EXPECT_EQ(r.scales, (std::vector<float>{1, 0.1f, 1, 10}));
  EXPECT_EQ(r.blocks, 2);
}

TEST(RoundWeights, AsymmetricStepsHaveAZeroPointAndReachBothEnds) {
  const Scheme whole{DType::UInt4, false, Granularity::Channel, 0};
  const RoundedWeights r = round_weights({-1, 0, 14}, 3, whole, nullptr);
  EXPECT_EQ(r.scales, std::vector<float>{1});
  EXPECT_EQ(r.zeros, std::vector<int64_t>{1});
  EXPECT_EQ(r.integers, (std::vector<int64_t>{0, 1, 15}));
}

TEST(RoundWeights, WithIndependentInputsGptqRoundsToTheNearest) {
  const Tensor w = random_tensor({4, 16}, 1);
  const std::vector<double> weights(w.data<float>().begin(), w.data<float>().end());
  Moments independent(256, 0);
  for (size_t i = 0; i < 16; ++i) independent[i * 17] = 1 + static_cast<double>(i);
  EXPECT_EQ(round_weights(weights, 16, kInt4, &independent).integers,
            round_weights(weights, 16, kInt4, nullptr).integers);
}

// Of two inputs, the second weight has the optimum w2 + e H12 / H22 once the first is off by e = w1 - q1.
TEST(RoundWeights, GptqMakesGoodWhatTheFirstWeightLoses) {
  const Scheme scheme{DType::Int8, true, Granularity::Channel, 0};
  const double h11 = 5, h12 = 4, h22 = 6, damping = 0.01 * (h11 + h22) / 2;
  const Moments moments = {h11, h12, h12, h22};
  const double scale = static_cast<float>(12.7 / 127);
  for (const double w1 : {0.56, 3.13, -7.77}) {
    const RoundedWeights r = round_weights({w1, 12.7}, 2, scheme, &moments);
    const double e = w1 - static_cast<double>(r.integers[0]) * scale;
    const double wanted = std::min(127.0, std::nearbyint((12.7 + e * h12 / (h22 + damping)) / scale));
    EXPECT_EQ(r.integers[1], static_cast<int64_t>(wanted)) << w1;
  }
}

// ||X (W - Q)||^2 through x^T x.
double product_error(const std::vector<double>& w, const RoundedWeights& r, int64_t inputs, int64_t block,
                     const Moments& h) {
  double error = 0;
  for (size_t n = 0; n < w.size() / static_cast<size_t>(inputs); ++n) {
    std::vector<double> d;
    for (int64_t k = 0; k < inputs; ++k) {
      const size_t at = n * static_cast<size_t>(inputs) + static_cast<size_t>(k);
      const size_t b = n * static_cast<size_t>(r.blocks) + static_cast<size_t>(k / block);
      d.push_back(w[at] - static_cast<double>(r.integers[at] - r.zeros[b]) * r.scales[b]);
    }
    for (size_t i = 0; i < d.size(); ++i)
      for (size_t j = 0; j < d.size(); ++j) error += d[i] * h[i * d.size() + j] * d[j];
  }
  return error;
}

TEST(RoundWeights, GptqLosesLessOfTheProductThanRounding) {
  const Tensor w = random_tensor({8, 32}, 1), mixing = random_tensor({32, 32}, 2);
  const std::vector<double> weights(w.data<float>().begin(), w.data<float>().end());
  Moments h(1024, 0);  // of correlated inputs
  for (size_t i = 0; i < 32; ++i)
    for (size_t j = 0; j < 32; ++j)
      for (size_t k = 0; k < 32; ++k)
        h[i * 32 + j] += double{mixing.data<float>()[i * 32 + k]} * mixing.data<float>()[j * 32 + k];
  for (const Scheme& scheme : {kInt4, kUInt4}) {
    const double nearest = product_error(weights, round_weights(weights, 32, scheme, nullptr), 32, 16, h);
    EXPECT_LT(product_error(weights, round_weights(weights, 32, scheme, &h), 32, 16, h), 0.8 * nearest);
  }
}

// ---- models ---------------------------------------------------------------------------------------------------------

struct Products : Net {
  explicit Products(bool transposed) {
    Value* h =
        add(ops::Relu, {transposed ? gemm(input({20, 32}), 24, "h")
                                   : add(ops::Gemm, {input({20, 32}), constant(random_tensor({32, 24}, 3))}, {}, "h")});
    graph.set_outputs({add(ops::MatMul, {h, constant(random_tensor({24, 6}, 4))}, {}, "y")});
  }
};

TEST(WeightsAlone, OfEveryTypeLayoutAndGranularity) {
  for (const bool transposed : {false, true})
    for (const DType type : {DType::Int8, DType::UInt8, DType::Int4, DType::UInt4})
      for (const int64_t block : {0, 16}) {
        Products net(transposed);
        const bool symmetric = type == DType::Int8 || type == DType::Int4;
        const Recipe recipe = weights_in({type, symmetric, block ? Granularity::Block : Granularity::Channel, block});
        const Tensor expected = (*evaluate(net.graph, net.feeds()))[0];
        const auto report = quantize_dynamic(net.graph, {.recipe = recipe});
        ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
        EXPECT_TRUE(verify(net.graph).empty()) << to_string(verify(net.graph));
        const double quality = sqnr(expected, (*evaluate(net.graph, net.feeds()))[0]);
        EXPECT_GT(quality, bit_width(type) == 4 ? 15 : 35) << name_of(type) << block << transposed;
        EXPECT_EQ(net.graph.find_value("y")->producer()->input(1)->producer()->input(0)->constant().dtype(), type);
        EXPECT_EQ(expression(net.graph.outputs()[0]), "MatMul(Relu(Gemm(x)))") << "the data stays float";
      }
}

TEST(WeightsAlone, GptqAndAwqAreBetterOnTheDataThatTheySaw) {
  double quality[3];
  for (const auto algorithm : {WeightAlgorithm::Round, WeightAlgorithm::Awq, WeightAlgorithm::Gptq}) {
    Products net(true);
    const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of({net.feeds(1), net.feeds(2)}),
                                        {.recipe = weights_in(kInt4, algorithm)});
    ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
    quality[static_cast<size_t>(algorithm)] = report->damage->outputs[0].sqnr;
    EXPECT_EQ(decision(*report, "y").note, "weights in int4 symmetric per block of 16, float data");
  }
  EXPECT_GE(quality[static_cast<size_t>(WeightAlgorithm::Awq)], quality[0]);
  EXPECT_GT(quality[static_cast<size_t>(WeightAlgorithm::Gptq)], quality[0] + 0.5);
}

TEST(WeightsAlone, AwqSparesTheWeightsOfLargeData) {
  const auto quality = [](WeightAlgorithm algorithm) {
    Net net;
    Tensor sizes(DType::Float32, {32});
    for (size_t j = 0; j < 32; ++j) sizes.mutable_data<float>()[j] = j % 8 == 3 ? 40.0f : 1.0f;
    Value* x = net.add(ops::Mul, {net.input({20, 32}), net.constant(sizes)});
    net.graph.set_outputs({net.add(ops::MatMul, {x, net.constant(random_tensor({32, 24}, 4))}, {}, "y")});
    const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of({net.feeds(1), net.feeds(2)}),
                                        {.recipe = weights_in(kInt4, algorithm)});
    EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
    return report->damage->outputs[0].sqnr;
  };
  EXPECT_GT(quality(WeightAlgorithm::Awq), quality(WeightAlgorithm::Round) + 2);
}

TEST(WeightsAlone, OtherOperatorsStayFloatAndWhatCannotHoldIsRefused) {
  Net net;
  net.graph.set_outputs({net.conv(net.input({1, 3, 6, 6}), 4, 3, "c")});
  auto plan = plan_qdq(net.graph, weights_in(kInt4));
  ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  EXPECT_TRUE(plan->weights_alone.empty());
  Recipe named;
  named.set({Selector::By::Type, "Conv"}, {.data = {.type = DType::Float32}});
  plan = plan_qdq(net.graph, named);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("Conv cannot have its weights alone in fewer bits"), std::string::npos);

  Products products(true);
  plan = plan_qdq(products.graph, weights_in({DType::Int4, true, Granularity::Block, 17}));
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("int4 symmetric per block of 16, 32, 64, 128, 256"), std::string::npos)
      << to_string(plan.diagnostics());
  Recipe recipe;
  recipe.defaults.algorithm = WeightAlgorithm::Awq;
  plan = plan_qdq(products.graph, recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("the algorithm awq is for weights alone"), std::string::npos);
}

TEST(WeightsAlone, GptqNeedsSamples) {
  Products net(true);
  EXPECT_FALSE(quantize_dynamic(net.graph, {.recipe = weights_in(kInt4, WeightAlgorithm::Gptq)}).ok());
}

}  // namespace
}  // namespace lapis::testing
