// Data in other types than uint8, and placements for other runtimes.
#include "passes/quantize/integer.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

struct Small : Net {
  Small() {
    Value* x = add(ops::Relu, {conv(input({1, 3, 8, 8}), 4, 3, "first")});
    x = add(ops::Concat, {x, conv(x, 4, 3, "second")}, {{"axis", int64_t{1}}});
    graph.set_outputs({conv(x, 2, 3, "last")});
  }
};

Recipe data_in(DType type, bool symmetric) {
  Recipe recipe;
  recipe.defaults.data = {type, symmetric, Granularity::Tensor, 0};
  return recipe;
}

TEST(Schemes, BytesWithSignsComputeOnIntegersAndAreAsGood) {
  double quality[3];
  const std::tuple<DType, bool, int> schemes[] = {
      {DType::UInt8, false, 0}, {DType::Int8, false, 1}, {DType::Int8, true, 2}};
  for (const auto& [type, symmetric, i] : schemes) {
    Small net;
    const QuantizeReport report = net.quantize(data_in(type, symmetric));
    quality[i] = report.damage->outputs[0].sqnr;
    for (const QuantizedValue& v : report.values) {
      const Node* q = net.graph.find_value(v.value)->uses()[0].node;
      ASSERT_TRUE(q->is(ops::QuantizeLinear));
      EXPECT_EQ(q->output()->dtype(), type);
      if (symmetric) EXPECT_EQ(v.params.zero_point, 0);
    }
    PassContext context;
    ASSERT_TRUE(integer(net.graph, context).ok());
    EXPECT_TRUE(describe_integer(net.graph).islands.empty());
  }
  EXPECT_NEAR(quality[1], quality[0], 0.5) << "the same steps";
  EXPECT_GT(quality[2], quality[0] - 7) << "half of the steps where all values have one sign";
}

TEST(Schemes, SixteenBitsAreForExport) {
  const std::pair<DType, bool> schemes[] = {{DType::UInt16, false}, {DType::Int16, true}};
  for (const auto& [type, symmetric] : schemes) {
    Small bytes, words;
    const double in_bytes = bytes.quantize().damage->outputs[0].sqnr;
    const QuantizeReport report = words.quantize(data_in(type, symmetric));
    EXPECT_GT(report.damage->outputs[0].sqnr, in_bytes) << "only the weights are rounded to 8 bits";
    EXPECT_EQ(words.graph.find_value("x")->uses()[0].node->output()->dtype(), type);
    PassContext context;
    ASSERT_TRUE(integer(words.graph, context).ok());
    EXPECT_TRUE(verify(words.graph).empty());
  }
}

TEST(Schemes, WhatTheTableDoesNotHoldIsRefused) {
  Small net;
  const auto refused = [&](const Recipe& recipe, const std::string& says) {
    const auto plan = plan_qdq(net.graph, recipe);
    ASSERT_FALSE(plan.ok()) << says;
    EXPECT_NE(to_string(plan.diagnostics()).find(says), std::string::npos) << to_string(plan.diagnostics());
  };
  refused(data_in(DType::UInt8, true), "no int8 form with data in uint8 symmetric per tensor");
  refused(data_in(DType::Int32, false), "it has: data in uint8 asymmetric per tensor or int8 asymmetric per tensor");
  Recipe dynamic = data_in(DType::Int8, true);
  dynamic.defaults.range.method = RangeMethod::Dynamic;
  refused(dynamic, "ranges are found during inference only for data in uint8 asymmetric per tensor");
  Recipe mixed;
  mixed.set({Selector::By::Name, "second"}, {.data = {.type = DType::Int8}});
  refused(mixed, "the recipe wants different types for them");
}

TEST(Runtimes, OnnxRuntimeGetsDynamicProductsOfSequencesAndStaticConvolutions) {
  const auto built = [](Runtime runtime) {
    Net net;
    Value* x = net.add(ops::LayerNormalization, {net.input({1, 4, 16}), net.constant(random_tensor({16}, 1)),
                                                 net.constant(random_tensor({16}, 2))});
    Value* y = net.add(ops::MatMul, {x, net.constant(random_tensor({16, 8}, 3))}, {}, "sequence");
    net.graph.set_outputs({y, net.conv(net.input({1, 3, 6, 6}, "image"), 4, 3, "picture")});
    Recipe recipe;
    recipe.runtime = runtime;
    return net.quantize(recipe);
  };
  for (const Runtime runtime : {Runtime::Lapis, Runtime::OpenVino})
    EXPECT_EQ(decision(built(runtime), "sequence").note, "int8 operands, float output");
  const QuantizeReport report = built(Runtime::OnnxRuntime);
  EXPECT_EQ(decision(report, "sequence").note, "int8 operands with ranges found during inference, float output");
  EXPECT_EQ(decision(report, "picture").note, "int8 operands, float output");
  EXPECT_GT(report.damage->outputs[0].sqnr, 30);
}

}  // namespace
}  // namespace lapis::testing
