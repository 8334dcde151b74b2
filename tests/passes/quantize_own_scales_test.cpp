// Models that bring their scales with them: they stay as they are, and what they leave open is planned around them.
#include "passes/quantize/own_scales.h"

#include "passes/quantize/integer.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

// v in the model's own bytes.
Value* paired(Net& net, Value* v, float scale, uint8_t zero) {
  Value *s = net.constant(Tensor::scalar(scale)), *z = net.constant(Tensor::scalar(zero));
  return net.add(ops::DequantizeLinear, {net.add(ops::QuantizeLinear, {v, s, z}), s, z});
}

Value* int8_weights(Net& net, Shape shape, float scale) {
  Tensor w(DType::Int8, std::move(shape));
  for (size_t i = 0; i < static_cast<size_t>(w.size()); ++i)
    w.mutable_data<int8_t>()[i] = static_cast<int8_t>(static_cast<int>(i * 37 % 255) - 127);
  return net.add(ops::DequantizeLinear, {net.constant(w), net.constant(Tensor::scalar(scale))});
}

size_t count(const Graph& graph, const OpDef& op) {
  size_t n = 0;
  for (const Node* node : graph.nodes()) n += node->is(op);
  return n;
}

TEST(OwnScales, MoveAlongWithBytes) {
  Net net;
  Value* x = paired(net, net.input({1, 2, 4, 4}), 0.1f, 7);
  Value* pooled = net.add(ops::MaxPool, {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  Value* other = paired(net, pooled, 0.2f, 7);
  Value* both = net.add(ops::Concat, {pooled, other}, {{"axis", int64_t{1}}});
  net.graph.set_outputs({both});
  const OwnScales own(net.graph);
  ASSERT_TRUE(own.of(*pooled));
  EXPECT_EQ(own.of(*pooled)->s, 0.1f);
  EXPECT_EQ(own.of(*other)->s, 0.2f);
  EXPECT_FALSE(own.of(*both)) << "its operands have two scales";
  EXPECT_EQ(own.pairs(), 2u);
}

TEST(OwnScales, AQuantizedModelIsQuantizedToItself) {
  Net net;
  Value* c = net.add(ops::Relu, {net.conv(net.input({1, 3, 8, 8}), 4)});
  Value* sum = net.add(ops::Add, {c, net.conv(c, 4)});
  net.graph.set_outputs({net.conv(net.add(ops::MaxPool, {sum}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}), 2)});
  const QuantizeReport first = net.quantize();
  const std::unique_ptr<Graph> once = net.graph.clone();
  const QuantizeReport second = net.quantize();
  EXPECT_TRUE(second.values.empty());
  EXPECT_EQ(second.quantized_count(), first.quantized_count());
  ASSERT_EQ(net.graph.node_count(), once->node_count());
  EXPECT_EQ((*evaluate(net.graph, net.feeds()))[0], (*evaluate(*once, net.feeds()))[0]);
  const auto alone = quantize_dynamic(net.graph, {});
  ASSERT_TRUE(alone.ok()) << to_string(alone.diagnostics());
  EXPECT_EQ(alone->quantized_count(), first.quantized_count());
  EXPECT_EQ(net.graph.node_count(), once->node_count());
}

struct PartlyQuantized : Net {
  PartlyQuantized() {
    Value* first =
        add(ops::Conv, {paired(*this, input({1, 2, 6, 6}), 0.04f, 120), int8_weights(*this, {4, 2, 3, 3}, 0.01f)}, {},
            "first");
    graph.set_outputs({conv(add(ops::Tanh, {first}), 2, 3, "second")});
  }
};

TEST(OwnScales, WithoutSamplesWhatLacksARangeStaysFloatAndSaysSo) {
  PartlyQuantized net;
  const auto report = quantize_dynamic(net.graph, {});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(decision(*report, "first").note, "int8 operands, float output, with the scales of the model");
  EXPECT_FALSE(decision(*report, "second").quantized);
  EXPECT_NE(decision(*report, "second").note.find("give --calibration"), std::string::npos);
}

TEST(OwnScales, WithSamplesOnlyTheRestIsCalibrated) {
  PartlyQuantized net;
  const Tensor expected = (*evaluate(net.graph, net.feeds()))[0];
  const QuantizeReport report = net.quantize();
  EXPECT_TRUE(decision(report, "second").quantized);
  ASSERT_FALSE(report.values.empty());
  for (const QuantizedValue& v : report.values) EXPECT_NE(v.value, "x");
  size_t own = 0;
  for (const Node* node : net.graph.nodes())
    own += node->is(ops::QuantizeLinear) && node->input(1)->constant().data<float>()[0] == 0.04f;
  EXPECT_EQ(own, 1u) << "the pair of the model is as it was";
  EXPECT_GT(sqnr(expected, (*evaluate(net.graph, net.feeds()))[0]), 35);
}

TEST(OwnScales, WithDynamicRangesOnlyTheRestIsFoundDuringInference) {
  PartlyQuantized net;
  Recipe recipe;
  recipe.defaults.range.method = RangeMethod::Dynamic;
  const auto report = quantize_dynamic(net.graph, {.recipe = recipe});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(count(net.graph, ops::DynamicQuantizeLinear), 1u);
  EXPECT_EQ(decision(*report, "first").note, "int8 operands, float output, with the scales of the model");
}

// What joins values of several scales is stored as the model says behind it, and in no other bytes before.
TEST(OwnScales, WhatTheModelStoresIsNotStoredOnceMore) {
  Net net;
  Value *a = paired(net, net.input({1, 2, 4, 4}, "a"), 0.1f, 7),
        *b = paired(net, net.input({1, 2, 4, 4}, "b"), 0.3f, 9);
  Value* both = net.add(ops::Concat, {a, b}, {{"axis", int64_t{1}}}, "both");
  Value* stored = paired(net, both, 0.2f, 8);
  net.graph.set_outputs({net.add(ops::Conv, {stored, int8_weights(net, {4, 4, 3, 3}, 0.01f)})});
  const std::unique_ptr<Graph> before = net.graph.clone();
  const auto alone = quantize_dynamic(net.graph, {});
  ASSERT_TRUE(alone.ok()) << to_string(alone.diagnostics());
  EXPECT_TRUE(decision(*alone, "both").quantized) << decision(*alone, "both").note;
  const QuantizeReport report = net.quantize();
  EXPECT_TRUE(report.values.empty()) << report.values.front().value;
  EXPECT_TRUE(decision(report, "both").quantized);
  EXPECT_EQ((*evaluate(net.graph, net.feeds()))[0], (*evaluate(*before, net.feeds()))[0]);
}

TEST(OwnScales, DataInSixteenBitsKeepsThem) {
  Net net;
  Value *s = net.constant(Tensor::scalar(0.001f)), *z = net.constant(Tensor::scalar<uint16_t>(32768));
  Value* x = net.add(ops::DequantizeLinear, {net.add(ops::QuantizeLinear, {net.input({2, 8}), s, z}), s, z}, {}, "x16");
  net.graph.set_outputs({net.gemm(x, 4, "product")});
  const std::unique_ptr<Graph> before = net.graph.clone();
  const QuantizeReport report = net.quantize();
  EXPECT_FALSE(decision(report, "product").quantized);
  EXPECT_EQ(decision(report, "product").note, "the model stores 'x16' as uint16");
  EXPECT_EQ((*evaluate(net.graph, net.feeds()))[0], (*evaluate(*before, net.feeds()))[0]);
}

TEST(OwnScales, ARecipeThatCannotHoldIsWarnedOf) {
  PartlyQuantized net;
  Recipe recipe;
  recipe.keep_float({Selector::By::Name, "first"});
  const auto report = quantize_dynamic(net.graph, {.recipe = recipe});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  ASSERT_EQ(report->warnings.size(), 1u);
  EXPECT_NE(report->warnings[0].message.find("its pairs are those of the model"), std::string::npos);
}

TEST(OwnScales, WeightsInIntegersKeepThemWhenTheirDataIsCalibrated) {
  Net net;
  net.graph.set_outputs(
      {net.add(ops::Conv, {net.input({1, 2, 6, 6}), int8_weights(net, {4, 2, 3, 3}, 0.01f)}, {}, "layer")});
  const Value* weights = net.graph.outputs()[0]->producer()->input(1);
  auto report = quantize_dynamic(net.graph, {});
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(decision(*report, "layer").quantized);
  EXPECT_TRUE(decision(net.quantize(), "layer").quantized);
  EXPECT_EQ(net.graph.outputs()[0]->producer()->input(1), weights);
  EXPECT_EQ(expression(net.graph.outputs()[0]), "Conv(DQ(Q(x)))");
}

TEST(OwnScales, OperatorsOnIntegersAreCountedAndInNoRecipe) {
  PartlyQuantized net;
  PassContext context;
  ASSERT_TRUE(integer(net.graph, context).ok());
  const auto report = quantize_dynamic(net.graph, {});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(count(net.graph, ops::ConvInteger), 1u);
  EXPECT_GE(report->quantized_count(), 1u);
  for (const RecipeRule& rule : report->recipe.rules)
    EXPECT_NE(rule.settings.precision, Precision::Int8) << rule.nodes.text;
}

TEST(OwnScales, AttentionBetweenPairsIsOnIntegers) {
  Net net;
  Value *a = paired(net, net.input({2, 3, 8}, "a"), 0.03f, 128),
        *b = paired(net, net.input({2, 8, 3}, "b"), 0.02f, 128);
  net.graph.set_outputs({net.add(ops::MatMul, {a, b}, {}, "scores")});
  const auto report = quantize_dynamic(net.graph, {});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_TRUE(decision(*report, "scores").quantized);
  PassContext context;
  ASSERT_TRUE(integer(net.graph, context).ok());
  EXPECT_EQ(count(net.graph, ops::MatMulInteger), 1u);
}

}  // namespace
}  // namespace lapis::testing
