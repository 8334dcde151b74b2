// Contractions whose ranges are found during inference.
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

Recipe dynamic() {
  Recipe recipe;
  recipe.defaults.range.method = RangeMethod::Dynamic;
  return recipe;
}

// Quantizes without data and compares with the float results.
double sqnr_of(Net& net, const Recipe& recipe = dynamic()) {
  const Feeds feeds = net.feeds();
  const Tensor expected = (*evaluate(net.graph, feeds))[0];
  const auto report = quantize_dynamic(net.graph, {.recipe = recipe});
  EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
  const Diagnostics broken = verify(net.graph);
  EXPECT_TRUE(broken.empty()) << to_string(broken);
  return sqnr(expected, (*evaluate(net.graph, feeds))[0]);
}

TEST(DynamicQuantization, NeedsNoDataAndKeepsTheOutputsName) {
  Net net;
  net.graph.set_outputs({net.gemm(net.add(ops::Relu, {net.gemm(net.input({4, 16}), 8)}), 4, "y")});
  EXPECT_GT(sqnr_of(net), 35);
  EXPECT_EQ(net.graph.outputs()[0]->name(), "y");
  EXPECT_EQ(expression(net.graph.outputs()[0]).substr(0, 62),
            "Add(Mul(Cast(MatMulInteger(DynamicQuantizeLinear(Relu(Add(Mul(");
}

TEST(DynamicQuantization, OfMatricesOfManyRowsAndConvolutionsWithGroupsAndPads) {
  Net products;
  Value* h = products.add(ops::MatMul, {products.input({2, 5, 16}), products.constant(random_tensor({16, 8}, 1))});
  products.graph.set_outputs({products.add(ops::Softmax, {h})});
  EXPECT_GT(sqnr_of(products), 35);

  Net convolutions;
  Value* c = convolutions.conv(convolutions.input({1, 3, 9, 9}), 8);
  Value* w = convolutions.constant(random_tensor({8, 2, 3, 3}, 2));
  c = convolutions.add(ops::Conv, {c, w}, {{"group", int64_t{4}}, {"strides", std::vector<int64_t>{2, 2}}}, "y");
  convolutions.graph.set_outputs({c});
  EXPECT_GT(sqnr_of(convolutions), 35);
}

TEST(DynamicQuantization, WithOneScaleAWeight) {
  Net net;
  net.graph.set_outputs({net.conv(net.input({1, 3, 6, 6}), 4)});
  Recipe recipe = dynamic();
  recipe.defaults.weights.granularity = Granularity::Tensor;
  EXPECT_GT(sqnr_of(net, recipe), 30);
}

TEST(DynamicQuantization, ReadersOfOneValueShareItsBytesAndNodesOfOneWeightItsIntegers) {
  Net net;
  Value *x = net.input({2, 8}), *w = net.constant(random_tensor({8, 8}, 1));
  net.graph.set_outputs({net.add(ops::MatMul, {net.add(ops::MatMul, {x, w}), w}), net.add(ops::MatMul, {x, w})});
  sqnr_of(net);
  size_t quantizers = 0;
  for (const Node* node : net.graph.nodes()) quantizers += node->is(ops::DynamicQuantizeLinear);
  EXPECT_EQ(quantizers, 2u);
  EXPECT_EQ(net.graph.constants().size(), 2u) << "integers and scales";
}

TEST(DynamicQuantization, StandsBesideStaticOneNodeByNode) {
  Net net;
  Value* c = net.add(ops::Relu, {net.conv(net.input({1, 3, 6, 6}), 4, 3, "static")});
  net.graph.set_outputs({net.conv(c, 2, 3, "dynamic")});
  Recipe recipe;
  recipe.set({Selector::By::Name, "dynamic"}, {.method = RangeMethod::Dynamic});
  recipe.defaults.range.method = RangeMethod::MinMax;
  const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of({net.feeds()}), {.recipe = recipe});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(expression(net.graph.outputs()[0]).find("Add(Mul(Cast(ConvInteger(DynamicQuantizeLinear(Relu(Conv(DQ(Q(x"),
            0u)
      << expression(net.graph.outputs()[0]);
  EXPECT_GT(report->damage->outputs[0].sqnr, 30);
  EXPECT_EQ(decision(*report, "dynamic").note, "int8 operands with ranges found during inference, float output");
  EXPECT_TRUE(decision(*report, "dynamic").quantized);
}

TEST(DynamicQuantization, IsRefusedForOtherOperatorsByName) {
  Net net;
  net.graph.set_outputs({net.conv(net.add(ops::Relu, {net.conv(net.input({1, 3, 6, 6}), 4)}), 2)});
  Recipe recipe;
  recipe.set({Selector::By::Type, "Relu"}, {.method = RangeMethod::Dynamic});
  const auto plan = plan_qdq(net.graph, recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("Relu has no form whose ranges are found during inference"),
            std::string::npos)
      << to_string(plan.diagnostics());
}

TEST(DynamicQuantization, WithoutDataNothingMayNeedAny) {
  Net net;
  net.graph.set_outputs({net.conv(net.input({1, 3, 6, 6}), 4)});
  const auto report = quantize_dynamic(net.graph, {});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(to_string(report.diagnostics()).find("needs samples to calibrate with"), std::string::npos);
}

TEST(DynamicQuantization, AModelThatHasItStaysAsItIs) {
  Net net;
  net.graph.set_outputs({net.conv(net.input({1, 3, 6, 6}), 4)});
  sqnr_of(net);
  const size_t nodes = net.graph.node_count();
  const auto again = quantize_dynamic(net.graph, {.recipe = dynamic()});
  ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
  EXPECT_EQ(net.graph.node_count(), nodes);
}

}  // namespace
}  // namespace lapis::testing
