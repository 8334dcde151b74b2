// What changes weights before they are rounded: smoothing and bias correction.
#include "passes/quantize/bias_correction.h"
#include "passes/quantize/equalize.h"
#include "passes/quantize/smooth.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

// Two products of one value, of whose channels the third is a hundred times the others.
struct Outliers : Net {
  explicit Outliers(bool transposed = false) {
    std::vector<float> channels(8, 1);
    channels[2] = 100;
    Value* x = add(ops::Mul, {input({3, 8}), constant(Tensor::vector(channels))}, {}, "x_scaled");
    Value* a = add(ops::MatMul, {x, constant(random_tensor({8, 6}, 1))}, {}, "a");
    Value* b = transposed ? add(ops::Gemm, {x, constant(random_tensor({5, 8}, 2))}, {{"transB", int64_t{1}}}, "b")
                          : add(ops::Gemm, {x, constant(random_tensor({8, 5}, 2))}, {}, "b");
    graph.set_outputs({a, b});
  }
};

Recipe smoothing(Smoothing s) {
  Recipe recipe;
  recipe.defaults.smooth = s;
  return recipe;
}

std::vector<Tensor> results(const Net& net) { return *evaluate(net.graph, net.feeds(1)); }

TEST(Smooth, LeavesWhatTheModelComputesAndTakesTheFactorsOfThePaper) {
  for (const bool transposed : {false, true}) {
    Outliers net(transposed);
    const std::vector<Tensor> before = results(net);
    const Tensor wa = net.graph.find_value("a")->producer()->input(1)->constant();
    const Tensor wb = net.graph.find_value("b")->producer()->input(1)->constant();
    const auto plan = plan_qdq(net.graph, smoothing({0.75}));
    ASSERT_TRUE(plan.ok());
    const auto done = smooth(net.graph, *plan, *reference_evaluator(), samples_of({net.feeds(1)}), 10);
    ASSERT_TRUE(done.ok()) << to_string(done.diagnostics());
    EXPECT_TRUE(*done);
    for (size_t i = 0; i < before.size(); ++i) EXPECT_GT(sqnr(before[i], results(net)[i]), 110);

    const Node* a = net.graph.find_value("a")->producer();
    EXPECT_EQ(a->input(0), net.graph.find_value("b")->producer()->input(0)) << "both read one smoothed value";
    const Feeds feeds = net.feeds(1);
    for (int64_t j = 0; j < 8; ++j) {
      float x = 0, w = 0;
      for (int64_t row = 0; row < 3; ++row)
        x = std::max(x, std::abs(feeds.at("x").data<float>()[static_cast<size_t>(row * 8 + j)]) * (j == 2 ? 100 : 1));
      for (int64_t n = 0; n < 6; ++n) w = std::max(w, std::abs(wa.data<float>()[static_cast<size_t>(j * 6 + n)]));
      for (int64_t n = 0; n < 5; ++n)
        w = std::max(w, std::abs(wb.data<float>()[static_cast<size_t>(transposed ? n * 8 + j : j * 5 + n)]));
      const float s = std::pow(x, 0.75f) / std::pow(w, 0.25f);
      const float inverse = a->input(0)->producer()->input(1)->constant().data<float>()[static_cast<size_t>(j)];
      EXPECT_NEAR(inverse * s, 1, 1e-5) << j;
    }
  }
}

double damage_with(Recipe recipe) {
  Outliers net;
  return net.quantize(std::move(recipe)).damage->outputs[0].sqnr;
}

TEST(Smooth, HelpsAgainstOutliersAndAutomaticallyChoosesWell) {
  const double plain = damage_with({});
  EXPECT_GT(damage_with(smoothing({0.5})), plain + 3);
  EXPECT_GE(damage_with(smoothing({0, true})), damage_with(smoothing({0.5})) - 1);
}

TEST(Smooth, TheRecipeOfWhatWasDoneDoesTheSameAgain) {
  Outliers net, again;
  const QuantizeReport report = net.quantize(smoothing({0.5}));
  EXPECT_EQ(report.damage->outputs[0].sqnr, again.quantize(report.recipe).damage->outputs[0].sqnr);
  EXPECT_EQ(expression(net.graph.outputs()[0]), expression(again.graph.outputs()[0]));
}

// A product of data whose third channel is larger than the others by a factor.
std::string product_of(Shape shape, float factor, Recipe recipe) {
  std::vector<float> channels(8, 1);
  channels[2] = factor;
  Net net;
  Value* x = net.add(ops::Mul, {net.input(std::move(shape)), net.constant(Tensor::vector(channels))});
  net.graph.set_outputs({net.add(ops::MatMul, {x, net.constant(random_tensor({8, 6}, 1))})});
  net.quantize(std::move(recipe));
  return expression(net.graph.outputs()[0]);
}

TEST(Smooth, IsUsualForProductsOfSequencesInFloatsUnlessTheRecipeSaysOff) {
  EXPECT_EQ(product_of({2, 3, 8}, 20, {}), "MatMul(DQ(Q(Mul(Mul(x)))))");
  EXPECT_EQ(product_of({3, 8}, 20, {}), "MatMul(DQ(Q(Mul(x))))");
  EXPECT_EQ(product_of({2, 3, 8}, 20, smoothing({})), "MatMul(DQ(Q(Mul(x))))");
}

TEST(Smooth, IsNotUsualWhereNoChannelIsAnOutlier) {
  EXPECT_EQ(product_of({2, 64, 8}, 1, {}), "MatMul(DQ(Q(Mul(x))))");
  EXPECT_EQ(product_of({2, 64, 8}, 1, smoothing({0.75})), "MatMul(DQ(Q(Mul(Mul(x)))))") << "the recipe asks for it";
}

TEST(Smooth, IsRefusedForConvolutionsByName) {
  Net net;
  net.graph.set_outputs({net.conv(net.input({1, 3, 6, 6}), 4, 3, "conv_c")});
  Recipe recipe;
  recipe.set({Selector::By::Name, "conv_c"}, {.smooth = Smoothing{0.5}});
  const auto plan = plan_qdq(net.graph, recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("the data of Conv cannot be smoothed"), std::string::npos);
}

TEST(Smooth, NeedsSamples) {
  Outliers net;
  Recipe recipe = smoothing({0.5});
  recipe.defaults.range.method = RangeMethod::Dynamic;
  const auto report = quantize_dynamic(net.graph, {.recipe = recipe});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(to_string(report.diagnostics()).find("`smooth` needs samples to run the model on"), std::string::npos);
}

// ---- equalization ---------------------------------------------------------------------------------------------------

Recipe equalizing() {
  Recipe recipe;
  recipe.defaults.equalize = true;
  recipe.defaults.weights.granularity = Granularity::Tensor;
  return recipe;
}

// Weights whose first output channel is larger or smaller than the others.
Tensor uneven(Shape shape, unsigned seed, float factor) {
  Tensor w = random_tensor(shape, seed);
  for (int64_t i = 0; i < w.size() / shape[0]; ++i) w.mutable_data<float>()[static_cast<size_t>(i)] *= factor;
  return w;
}

// Convolution, activation, depthwise convolution, pool, convolution.
struct Chain : Net {
  Chain() {
    Value* c =
        add(ops::Conv, {input({1, 3, 8, 8}), constant(uneven({4, 3, 3, 3}, 1, 100)), constant(random_tensor({4}, 2))},
            {}, "first");
    Value* d =
        add(ops::Conv, {add(ops::Relu, {c}), constant(uneven({4, 1, 3, 3}, 3, 0.01f)), constant(random_tensor({4}, 4))},
            {{"group", int64_t{4}}}, "depthwise");
    d = add(ops::MaxPool, {d}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
    graph.set_outputs({add(ops::Conv, {d, constant(random_tensor({2, 4, 1, 1}, 5))}, {}, "last")});
  }
  Tensor weights(const char* name) const {
    for (const Node* node : graph.nodes())
      if (node->name() == name) return node->input(1)->constant();
    return {};
  }
};

TEST(Equalize, LeavesWhatTheModelComputesAndBalancesBothSidesOfEveryChannel) {
  Chain net;
  const Tensor before = results(net)[0];
  ASSERT_TRUE(equalize(net.graph, *plan_qdq(net.graph, equalizing())));
  EXPECT_GT(sqnr(before, results(net)[0]), 110);
  const auto largest = [](const Tensor& w, auto&& belongs) {
    float r = 0;
    for (int64_t i = 0; i < w.size(); ++i)
      if (belongs(i)) r = std::max(r, std::abs(w.data<float>()[static_cast<size_t>(i)]));
    return r;
  };
  for (int64_t c = 0; c < 4; ++c) {
    const float first = largest(net.weights("first"), [&](int64_t i) { return i / 27 == c; });
    const float middle = largest(net.weights("depthwise"), [&](int64_t i) { return i / 9 == c; });
    const float last = largest(net.weights("last"), [&](int64_t i) { return i % 4 == c; });
    EXPECT_NEAR(first / middle, 1, 1e-3) << c;
    EXPECT_NEAR(middle / last, 1, 1e-3) << c;
  }
}

// What lies between is another value than it was: what compares values by their names must not take it for noise.
TEST(Equalize, GivesValuesThatItScalesNamesOfTheirOwn) {
  Chain net;
  const QuantizeReport report = net.quantize(equalizing());
  for (const char* name : {"first", "depthwise"}) EXPECT_EQ(net.graph.find_value(name), nullptr) << name;
  EXPECT_GT(report.damage->outputs[0].sqnr, kLoudDamage);
  for (const NodeDamage& n : report.damage->nodes) EXPECT_GT(n.sqnr, kLoudDamage) << n.node;
}

TEST(Equalize, HelpsWeightsWithOneScale) {
  Chain plain, equalized;
  Recipe recipe = equalizing();
  recipe.defaults.equalize = false;
  const double without = plain.quantize(recipe).damage->outputs[0].sqnr;
  EXPECT_GT(equalized.quantize(equalizing()).damage->outputs[0].sqnr, without + 3);
}

TEST(Equalize, LeavesPairsAloneWhoseValueSomethingElseReads) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 8, 8}), 4);
  net.graph.set_outputs({net.conv(c, 2), c});
  EXPECT_FALSE(equalize(net.graph, *plan_qdq(net.graph, equalizing())));
}

// ---- bias correction ------------------------------------------------------------------------------------------------

Recipe correcting() {
  Recipe recipe;
  recipe.defaults.correct_bias = true;
  recipe.defaults.weights.granularity = Granularity::Tensor;
  return recipe;
}

// Of each channel of `y` against the expected results.
std::vector<double> mean_errors(const Tensor& expected, const Tensor& y, int64_t channels, int64_t inner) {
  std::vector<double> errors(static_cast<size_t>(channels), 0);
  for (int64_t i = 0; i < y.size(); ++i)
    errors[static_cast<size_t>(i / inner % channels)] += expected.as_double(i) - y.as_double(i);
  for (double& e : errors) e /= static_cast<double>(y.size() / channels);
  return errors;
}

// The weights as they are after rounding, the data exact.
Tensor with_rounded_weights(Net& net, const char* name, int64_t axis) {
  Node* node = net.graph.find_value(name)->producer();
  const QuantizedWeight q = quantize_weight(node->input(1)->constant(), axis, {}, 1, false);
  Tensor w(DType::Float32, q.values.shape());
  for (int64_t i = 0; i < w.size(); ++i)
    w.mutable_data<float>()[static_cast<size_t>(i)] =
        static_cast<float>(q.values.as_double(i)) * q.scales.data<float>()[0];
  node->set_input(1, net.constant(w));
  return (*evaluate(net.graph, net.feeds(1)))[0];
}

template <class Make> void expect_means_restored(Make&& make, int64_t axis, int64_t channels, int64_t inner) {
  Net net, plain;
  make(net);
  make(plain);
  const Tensor expected = (*evaluate(net.graph, net.feeds(1)))[0];
  const auto plan = plan_qdq(net.graph, correcting());
  ASSERT_TRUE(plan.ok());
  const auto done = correct_biases(net.graph, *plan, *reference_evaluator(), samples_of({net.feeds(1)}), 10);
  ASSERT_TRUE(done.ok()) << to_string(done.diagnostics());
  ASSERT_TRUE(*done);
  const auto corrected = mean_errors(expected, with_rounded_weights(net, "y", axis), channels, inner);
  const auto uncorrected = mean_errors(expected, with_rounded_weights(plain, "y", axis), channels, inner);
  double worst = 0;
  for (const double e : uncorrected) worst = std::max(worst, std::abs(e));
  EXPECT_GT(worst, 1e-4) << "the case must shift something";
  for (size_t c = 0; c < corrected.size(); ++c) EXPECT_LT(std::abs(corrected[c]), 1e-5) << c;
}

TEST(BiasCorrection, RestoresTheMeanOfEveryChannelOfConvolutions) {
  const auto make = [](Net& net) { net.graph.set_outputs({net.conv(net.input({2, 3, 6, 6}), 4, 3, "y")}); };
  expect_means_restored(make, 0, 4, 36);
}

TEST(BiasCorrection, IsUsualForConvolutionsUnlessTheRecipeSaysFalse) {
  Net net;
  net.graph.set_outputs({net.gemm(net.add(ops::Flatten, {net.conv(net.input({1, 3, 4, 4}), 2, 3, "conv_c")}), 2)});
  const auto corrects = [&](const Recipe& recipe) {
    const auto graph = net.graph.clone();
    return *correct_biases(*graph, *plan_qdq(*graph, recipe), *reference_evaluator(), samples_of({net.feeds()}), 1);
  };
  EXPECT_TRUE(corrects({}));
  Recipe recipe;
  recipe.defaults.correct_bias = false;
  EXPECT_FALSE(corrects(recipe));
  recipe.defaults.correct_bias.reset();
  recipe.keep_float({Selector::By::Type, "Conv"});
  EXPECT_FALSE(corrects(recipe));
}

TEST(BiasCorrection, GivesABiasToWhatHasNone) {
  const auto make = [](Net& net) {
    Value* w = net.constant(random_tensor({4, 3, 3, 3}, 5));
    net.graph.set_outputs({net.add(ops::Conv, {net.input({2, 3, 6, 6}), w}, {}, "y")});
  };
  expect_means_restored(make, 0, 4, 16);
}

TEST(BiasCorrection, OfGemmsAndOfTheSumBehindAMatMul) {
  const auto gemm = [](Net& net) { net.graph.set_outputs({net.gemm(net.input({5, 8}), 4, "y")}); };
  expect_means_restored(gemm, 0, 4, 1);
  const auto product = [](Net& net) {
    Value* y = net.add(ops::MatMul, {net.input({2, 5, 8}), net.constant(random_tensor({8, 4}, 5))}, {}, "y");
    net.graph.set_outputs({net.add(ops::Add, {y, net.constant(random_tensor({4}, 6))})});
  };
  expect_means_restored(product, 1, 4, 1);
}

}  // namespace
}  // namespace lapis::testing
