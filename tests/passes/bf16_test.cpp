// Mixed precision: which nodes compute in bfloat16, where casts stand, and the way back to fp32.
#include "passes/precision/bf16.h"

#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

const Target kHas = *Target::parse("x86-64+avx512bf16"), kHasNot = *Target::parse("x86-64+avx2");

Recipe all_bf16() {
  Recipe recipe;
  recipe.defaults.precision = Precision::Float32;
  recipe.defaults.floats = DType::BFloat16;
  return recipe;
}

Bf16Report convert(Net& net, const Recipe& recipe = all_bf16()) {
  const Tensor before = (*evaluate(net.graph, net.feeds()))[0];
  const auto report = to_bf16(net.graph, {.recipe = recipe, .target = kHas});
  EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
  const Diagnostics broken = verify(net.graph);
  EXPECT_TRUE(broken.empty()) << to_string(broken);
  EXPECT_GT(sqnr(before, (*evaluate(net.graph, net.feeds()))[0]), 30);
  return *report;
}

std::string shape_of(const Net& net) { return expression(net.graph.outputs()[0]); }

TEST(Bf16, AnIslandHasCastsAtItsShore) {
  Net net;
  Value* a = net.add(ops::Relu, {net.conv(net.input({1, 4, 8, 8}), 8)});
  Value* b = net.add(ops::Add, {a, net.clip(net.conv(a, 8), -1, 2)});
  Value* pool = net.add(ops::MaxPool, {b}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  net.graph.set_outputs({net.conv(pool, 8, 1, "y")});
  const Bf16Report report = convert(net);
  EXPECT_EQ(shape_of(net), "Cast(Conv(MaxPool(Add(Relu(Conv(Cast(x))), Clip(Conv(Relu(Conv(Cast(x)))))))))");
  EXPECT_EQ(report.casts, 2);
  EXPECT_EQ(report.bf16_count(), 7u);
  EXPECT_EQ(net.graph.outputs()[0]->name(), "y");
  EXPECT_EQ(net.graph.outputs()[0]->dtype(), DType::Float32);
  for (const Value* c : net.graph.constants()) EXPECT_NE(c->dtype(), DType::Float32) << c->name();
}

TEST(Bf16, WhatSumsUpStaysFloatAndReadsOneCast) {
  Net net;
  Value* h = net.conv(net.input({1, 4, 8, 8}), 8);
  Value* mean = net.add(ops::GlobalAveragePool, {h});
  Value* squeezed = net.add(ops::Mul, {h, net.add(ops::Sigmoid, {mean})});
  net.graph.set_outputs({net.conv(squeezed, 8, 1, "y")});
  const Bf16Report report = convert(net);
  EXPECT_EQ(shape_of(net),
            "Cast(Conv(Cast(Mul(Cast(Conv(Cast(x))), Sigmoid(GlobalAveragePool(Cast(Conv(Cast(x)))))))))");
  EXPECT_EQ(report.casts, 4);
  EXPECT_EQ(report.decisions[1].note, "it sums up or normalizes, which is done in fp32");
}

TEST(Bf16, DepthwiseConvolutionsAndTailsStayFloat) {
  Net net;
  Value* h = net.add(ops::Relu, {net.conv(net.input({1, 4, 8, 8}), 8)});
  h = net.add(ops::Conv, {h, net.constant(random_tensor({8, 1, 3, 3}, 3))}, {{"group", int64_t{8}}});
  net.graph.set_outputs({net.add(ops::Sigmoid, {h}, {}, "y")});
  const Bf16Report report = convert(net);
  EXPECT_EQ(shape_of(net), "Sigmoid(Conv(Relu(Cast(Conv(Cast(x))))))");
  EXPECT_EQ(report.decisions[1].note, "nothing behind it computes in bf16");
  EXPECT_EQ(report.decisions[2].note, "a depthwise convolution has no bf16 kernel");
  EXPECT_EQ(report.decisions[3].note, "'" + h->name() + "' is not in bf16");
}

TEST(Bf16, ProductsOfTwoComputedOperandsToo) {
  Net net;
  Value* x = net.input({2, 6, 16});
  Value* q = net.add(ops::MatMul, {x, net.constant(random_tensor({16, 16}, 1, 0.25f))});
  Value* k = net.add(ops::Transpose, {net.add(ops::MatMul, {x, net.constant(random_tensor({16, 16}, 2, 0.25f))})},
                     {{"perm", std::vector<int64_t>{0, 2, 1}}});
  net.graph.set_outputs({net.add(ops::Softmax, {net.add(ops::MatMul, {q, k})}, {}, "y")});
  convert(net);
  EXPECT_EQ(shape_of(net), "Softmax(Cast(MatMul(MatMul(Cast(x)), Transpose(MatMul(Cast(x))))))");
}

TEST(Bf16, LeavesInt8Alone) {
  Net net;
  Value* h = net.add(ops::Relu, {net.conv(net.input({1, 4, 8, 8}), 8, 3, "first")});
  net.graph.set_outputs({net.conv(h, 8, 1, "y")});
  Recipe recipe;
  recipe.defaults.floats = DType::BFloat16;
  recipe.set({Selector::By::Last, ""}, {.precision = Precision::Float32});
  net.quantize(recipe);
  EXPECT_EQ(shape_of(net), "Conv(Relu(Conv(DQ(Q(x)))))");
  const auto report = to_bf16(net.graph, {.recipe = recipe, .target = kHas});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(shape_of(net), "Cast(Conv(Cast(Relu(Conv(DQ(Q(x)))))))");
}

TEST(Bf16, ATargetWithoutItIsRefused) {
  Net net;
  net.graph.set_outputs({net.conv(net.input({1, 4, 8, 8}), 8, 3, "y")});
  const auto report = to_bf16(net.graph, {.recipe = all_bf16(), .target = kHasNot});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(to_string(report.diagnostics()).find("AVX-512 BF16 is missing"), std::string::npos);
  EXPECT_TRUE(to_bf16(net.graph, {.target = kHasNot}).ok()) << "nobody asks for it";
}

// The product behind the difference of two nearly equal numbers loses most of its bits in bf16.
struct Fragile : Net {
  Fragile() {
    Value* x = input({4, 16});
    Value* a = add(ops::MatMul, {x, constant(random_tensor({16, 16}, 1, 0.25f))}, {}, "coarse");
    Value* shifted = add(ops::Add, {a, constant(Tensor::scalar(1000.0f))});
    Value* b = add(ops::MatMul, {shifted, constant(random_tensor({16, 16}, 2, 0.25f))}, {}, "fine");
    graph.set_outputs({add(ops::Sub, {b, add(ops::ReduceMean, {b, ints({0})})}, {}, "y")});
  }
};

TEST(Bf16, GoesBackToFloatUntilTheResultsAreGoodEnough) {
  Fragile loose, strict;
  const auto samples = samples_of({loose.feeds(1), loose.feeds(2)});
  const auto before =
      to_bf16(loose.graph, {.recipe = all_bf16(), .target = kHas}, reference_evaluator().get(), samples);
  ASSERT_TRUE(before.ok()) << to_string(before.diagnostics());
  EXPECT_LT(before->damage->outputs[0].sqnr, 20);
  const auto after = to_bf16(strict.graph, {.recipe = all_bf16(), .target = kHas, .min_sqnr = 40},
                             reference_evaluator().get(), samples);
  ASSERT_TRUE(after.ok()) << to_string(after.diagnostics());
  EXPECT_GE(after->damage->outputs[0].sqnr, 40);
  EXPECT_LT(after->bf16_count(), before->bf16_count());
  EXPECT_TRUE(std::any_of(after->decisions.begin(), after->decisions.end(),
                          [](const auto& d) { return d.note == "in bf16 it costs too much of the results"; }));
}

TEST(Bf16, ABoundNeedsSamples) {
  Fragile net;
  EXPECT_FALSE(to_bf16(net.graph, {.recipe = all_bf16(), .target = kHas, .min_sqnr = 40}).ok());
}

}  // namespace
}  // namespace lapis::testing
