// The report of what quantization did to a model: against plain evaluation of both, and whom it blames.
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

struct ConvNet : Net {
  ConvNet() {
    Value* c = add(ops::Relu, {conv(input({1, 3, 6, 6}), 4, 3, "first")}, {}, "relu");
    graph.set_outputs({conv(c, 2, 3, "last")});
  }
};

// The tail of a spectrogram: what vanishes beside the largest values matters as much as they do behind the logarithm.
struct LogNet : Net {
  LogNet() {
    Value* x = add(ops::Mul, {input({1, 2, 8, 8}), constant(Tensor::of<float>({2, 1, 1}, {1000, 1}))});
    Value* c = add(ops::Conv, {x, constant(random_tensor({2, 1, 3, 3}, 1))}, {{"group", int64_t{2}}}, "spectrum");
    Value* power = add(ops::Add, {add(ops::Mul, {c, c}, {}, "power"), constant(Tensor::scalar(1e-9f))}, {}, "floor");
    graph.set_outputs({add(ops::Log, {power}, {}, "log")});
  }
};

TEST(Damage, IsPrintedWithoutASignOfZero) {
  EXPECT_EQ(print_sqnr(-0.04), "0.0 dB");
  EXPECT_EQ(print_sqnr(-0.06), "-0.1 dB");
  EXPECT_EQ(print_sqnr(12.34), "12.3 dB");
}

TEST(Damage, IsTheRatioOfTheSumsOverAllSamples) {
  ConvNet net;
  const auto original = net.graph.clone();
  net.quantize();
  const std::vector<Feeds> samples = {net.feeds(5), net.feeds(6)};
  const auto damage = measure_damage(*original, net.graph, *reference_evaluator(), samples);
  ASSERT_TRUE(damage.ok()) << to_string(damage.diagnostics());
  double signal = 0, noise = 0;
  for (const Feeds& feeds : samples) {
    const Tensor expected = (*evaluate(*original, feeds))[0], got = (*evaluate(net.graph, feeds))[0];
    for (int64_t i = 0; i < expected.size(); ++i) {
      signal += std::pow(expected.as_double(i), 2);
      noise += std::pow(expected.as_double(i) - got.as_double(i), 2);
    }
  }
  ASSERT_EQ(damage->outputs.size(), 1u);
  EXPECT_EQ(damage->samples, 2);
  EXPECT_EQ(damage->outputs[0].output, "last");
  EXPECT_NEAR(damage->outputs[0].sqnr, 10 * std::log10(signal / noise), 1e-4);
  ASSERT_GE(damage->worst.size(), 2u);
  for (const NodeDamage& n : damage->worst) {
    EXPECT_TRUE(n.quantized) << n.node;
    EXPECT_LT(n.sqnr, n.operands) << n.node;
  }
}

TEST(Damage, OfTheSameModelIsNone) {
  ConvNet net;
  const auto damage = measure_damage(net.graph, *net.graph.clone(), *reference_evaluator(), {net.feeds()});
  ASSERT_TRUE(damage.ok()) << to_string(damage.diagnostics());
  EXPECT_EQ(print_sqnr(damage->outputs[0].sqnr), "exact");
  EXPECT_TRUE(damage->worst.empty());
  EXPECT_TRUE(warnings_of(*damage).empty());
}

TEST(Damage, EveryQuantizationReportsItAndABadOneWarnsOfTheNodeThatCausedIt) {
  LogNet net;
  Recipe recipe;
  recipe.set({Selector::By::Name, "spectrum"}, {.precision = Precision::Int8});
  const QuantizeReport report = net.quantize(recipe);
  ASSERT_TRUE(report.damage);
  ASSERT_TRUE(report.damage->outputs[0].cause);
  const DamageCause& cause = *report.damage->outputs[0].cause;
  EXPECT_EQ(cause.node.node, "log");
  EXPECT_FALSE(cause.node.quantized);
  EXPECT_EQ(cause.quantized, std::vector<std::string>{"spectrum"});
  const std::string text = to_string(report.warnings);
  EXPECT_NE(text.find("output 'log': warning: "), std::string::npos) << text;
  EXPECT_NE(text.find("most of the noise arises at 'log' (Log)"), std::string::npos) << text;
  EXPECT_NE(text.find("which magnifies the errors of 'spectrum'"), std::string::npos) << text;
  EXPECT_NE(text.find("keep 'spectrum' fp32"), std::string::npos) << text;
}

TEST(Damage, WhatFeedsALogarithmStaysFloatUnlessItIsAskedForByName) {
  LogNet net;
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(decision(report, "spectrum").note, "the logarithm 'log' behind it would magnify its errors");
  EXPECT_EQ(print_sqnr(report.damage->outputs[0].sqnr), "exact");
  EXPECT_TRUE(report.warnings.empty()) << to_string(report.warnings);
}

TEST(Damage, ThatPruningCausedIsNotSaidToComeOfRanges) {
  for (const Precision precision : {Precision::Int8, Precision::Float32}) {
    Net net;
    net.graph.set_outputs({net.gemm(net.input({4, 6}), 3, "product")});
    Recipe recipe;
    recipe.defaults.precision = precision;
    recipe.defaults.sparsity.ratio = 0.9;
    const std::string text = to_string(net.quantize(recipe).warnings);
    EXPECT_NE(text.find("prune less of 'product'"), std::string::npos) << text;
  }
}

TEST(Damage, OutputsThatInt8AlsoReadsAreComparedAsTheyAreReturned) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4, 3, "features");
  net.graph.set_outputs({c, net.conv(c, 2, 3, "y")});
  const auto original = net.graph.clone();
  const QuantizeReport report = net.quantize();
  const Feeds feeds = net.feeds(1);
  const auto damage = measure_damage(*original, net.graph, *reference_evaluator(), {feeds});
  ASSERT_TRUE(damage.ok());
  ASSERT_EQ(damage->outputs.size(), 2u);
  EXPECT_NEAR(damage->outputs[0].sqnr, sqnr((*evaluate(*original, feeds))[0], (*evaluate(net.graph, feeds))[0]), 1e-4);
}

TEST(Damage, IsMeasuredOnSamplesOfAnyShapeEvenlySpread) {
  Graph graph("net");
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Dims{Dim::symbol("N"), 4}));
  Value* w = graph.add_constant(random_tensor({4, 3}, 1));
  graph.set_outputs({graph.add_node(ops::MatMul, {x, w}, {}, {"y"})->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  std::vector<Feeds> samples;
  for (int64_t n = 1; n <= 40; ++n) samples.push_back({{"x", random_tensor({1 + n % 3, 4}, static_cast<unsigned>(n))}});
  QuantizeOptions options;
  options.damage_samples = 4;
  auto report = quantize_static(graph, *reference_evaluator(), samples_of(samples), options);
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(report->damage->samples, 4);
  EXPECT_GT(report->damage->outputs[0].sqnr, 30);
  EXPECT_TRUE(graph.inputs()[0]->type().dim(0) == Dim::symbol("N")) << "what is free stays free";
}

TEST(Damage, IsNotMeasuredWhereNobodyWantsIt) {
  ConvNet net;
  QuantizeOptions options;
  options.damage_samples = 0;
  const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of({net.feeds()}), options);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->damage);
}

// The squares of such values are more, or less, than a float holds.
TEST(Damage, IsMeasuredOfValuesOfAnySize) {
  for (const float size : {1e30f, 1e-30f}) {
    Net net;
    Value* x = net.add(ops::Mul, {net.input({1, 8}), net.constant(Tensor::scalar(size))}, {}, "scaled");
    net.graph.set_outputs({x});
    const auto other = net.graph.clone();
    other->find_value("scaled")->producer()->set_input(1, other->add_constant(Tensor::scalar(size * 1.01f), "other"));
    const auto damage = measure_damage(net.graph, *other, *reference_evaluator(), {net.feeds()});
    ASSERT_TRUE(damage.ok()) << to_string(damage.diagnostics());
    EXPECT_NEAR(damage->outputs[0].sqnr, 40, 0.1) << size;
  }
}

TEST(Damage, IsMeasuredInEveryTypeThatModelsComputeIn) {
  for (const DType dtype : {DType::Float16, DType::BFloat16, DType::Float64}) {
    Net net;
    Value* x = net.add(ops::Cast, {net.input({1, 8})}, {{"to", static_cast<int64_t>(dtype)}}, "cast");
    net.graph.set_outputs({net.add(ops::Relu, {x}, {}, "y")});
    const auto other = net.graph.clone();
    const auto damage = measure_damage(net.graph, *other, *reference_evaluator(), {net.feeds()});
    ASSERT_TRUE(damage.ok()) << to_string(damage.diagnostics());
    ASSERT_EQ(damage->outputs.size(), 1u) << name_of(dtype);
    EXPECT_EQ(print_sqnr(damage->outputs[0].sqnr), "exact") << name_of(dtype);
  }
}

TEST(Damage, OfIntegersIsNone) {
  Net net;
  Value* x = net.add(ops::Cast, {net.input({1, 8})}, {{"to", static_cast<int64_t>(DType::Int32)}}, "y");
  net.graph.set_outputs({x});
  const auto damage = measure_damage(net.graph, *net.graph.clone(), *reference_evaluator(), {net.feeds()});
  ASSERT_TRUE(damage.ok()) << to_string(damage.diagnostics());
  EXPECT_EQ(damage->samples, 0);
  EXPECT_TRUE(damage->outputs.empty());
}

TEST(Damage, OneSampleThatIsNoNumberLeavesWhatTheOthersSay) {
  ConvNet net;
  const auto original = net.graph.clone();
  net.quantize();
  std::vector<Feeds> samples = {net.feeds(5), net.feeds(6)};
  const double without = measure_damage(*original, net.graph, *reference_evaluator(), samples)->outputs[0].sqnr;
  samples.push_back(net.feeds(7));
  samples.back().begin()->second.mutable_data<float>()[0] = NAN;
  const auto damage = measure_damage(*original, net.graph, *reference_evaluator(), samples);
  ASSERT_TRUE(damage.ok()) << to_string(damage.diagnostics());
  EXPECT_EQ(damage->outputs[0].sqnr, without);
}

TEST(Damage, ValuesThatAreNotFiniteHaveNoRatio) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4, 3, "c");
  net.graph.set_outputs({net.add(ops::Log, {net.add(ops::Relu, {c})}, {}, "log")});  // -inf where it is 0
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(print_sqnr(report.damage->outputs[0].sqnr), "not finite");
  EXPECT_TRUE(warnings_of(*report.damage).empty());
}

}  // namespace
}  // namespace lapis::testing
