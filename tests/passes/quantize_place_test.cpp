// Where pairs go and which scales they get.
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

// ---- placement --------------------------------------------------------------------------------------------------

TEST(InsertQdq, LeavesNoFloatIslandInAConvolutionalNetwork) {
  Net net;
  Value* x = net.input({1, 3, 8, 8});
  Value* y = net.clip(net.conv(net.add(ops::Relu, {net.conv(x, 8)}), 8), 0, 6);
  y = net.gemm(net.add(ops::Flatten, {net.add(ops::GlobalAveragePool, {y})}), 4, "y");
  net.graph.set_outputs({y});
  const Feeds sample = net.feeds();
  const Tensor expected = (*evaluate(net.graph, sample))[0];
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]),
            "Gemm(DQ(Q(Flatten(DQ(Q(GlobalAveragePool(DQ(Q(Clip(Conv(DQ(Q(Relu(Conv(DQ(Q(x)))))))))))))))))");
  EXPECT_EQ(report.quantized_count(), report.decisions.size());
  EXPECT_EQ(decision(report, "y").note, "int8 operands, float output");
  EXPECT_GT(sqnr(expected, (*evaluate(net.graph, sample))[0]), 25);
}

TEST(InsertQdq, QuantizesBothOperandsOfAResidualSumButNothingBetweenSumAndRelu) {
  Net net;
  Value* a = net.add(ops::Relu, {net.conv(net.input({1, 3, 6, 6}), 4)}, {}, "a");
  Value* sum = net.add(ops::Relu, {net.add(ops::Add, {net.conv(a, 4, 3, "conv_c"), a})});
  net.graph.set_outputs({net.conv(sum, 2)});
  net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]),
            "Conv(DQ(Q(Relu(Add(DQ(Q(Conv(DQ(Q(Relu(Conv(DQ(Q(x))))))))), DQ(Q(Relu(Conv(DQ(Q(x)))))))))))");
}

TEST(InsertQdq, KeepsResidualSumsAndNormalizationOfAnEncoderFloat) {
  Net net;
  Value* x = net.input({1, 5, 8});
  Value* h = net.add(ops::MatMul, {x, net.constant(random_tensor({8, 8}, 1))});
  h = net.add(ops::Add, {h, net.constant(random_tensor({8}, 2))});
  h = net.add(ops::Add, {h, x}, {}, "residual");
  h = net.add(ops::LayerNormalization, {h, net.constant(random_tensor({8}, 3)), net.constant(random_tensor({8}, 4))},
              {}, "norm");
  net.graph.set_outputs({net.add(ops::MatMul, {h, net.constant(random_tensor({8, 8}, 5))})});
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]), "MatMul(DQ(Q(LayerNormalization(Add(Add(MatMul(DQ(Q(x)))), x)))))");
  EXPECT_FALSE(decision(report, "residual").quantized);
  EXPECT_EQ(decision(report, "norm").note, "there is no int8 form of LayerNormalization");
}

TEST(InsertQdq, KeepsProductsOfTwoActivationsFloat) {
  Net net;
  Value *q = net.input({1, 4, 4}, "q"), *k = net.input({1, 4, 4}, "k");
  net.graph.set_outputs({net.add(ops::MatMul, {q, k}, {}, "scores")});
  EXPECT_EQ(decision(net.quantize(), "scores").note, "the second operand is not constant");
  EXPECT_EQ(expression(net.graph.outputs()[0]), "MatMul(q, k)");
}

TEST(InsertQdq, KeepsTheTailOfAGemmInRegisters) {
  Net net;
  Value* h = net.add(ops::Relu, {net.gemm(net.input({2, 8}), 8)}, {}, "relu");
  net.graph.set_outputs({net.gemm(h, 4)});
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]), "Gemm(DQ(Q(Relu(Gemm(DQ(Q(x)))))))");
  EXPECT_EQ(decision(report, "relu").note, "between int8 values, computed in float registers");
}

TEST(InsertQdq, KeepsAnActivationThatIsWrittenOutInRegisters) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4);
  Value* gate = net.clip(net.add(ops::Add, {c, net.constant(Tensor::scalar(3.0f))}), 0, 6);
  Value* swish = net.add(ops::Div, {net.add(ops::Mul, {c, gate}), net.constant(Tensor::scalar(6.0f))});
  net.graph.set_outputs({net.conv(swish, 2)});
  net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]), "Conv(DQ(Q(Div(Mul(Conv(DQ(Q(x))), Clip(Add(Conv(DQ(Q(x))))))))))");
}

TEST(InsertQdq, StoresWhatIsReadByMoreThanAnActivationOnceInFrontAndOnceBehind) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4);
  Value* swish = net.add(ops::Mul, {c, net.add(ops::HardSigmoid, {c})});
  net.graph.set_outputs({net.conv(swish, 2), net.conv(c, 2)});
  net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]),
            "Conv(DQ(Q(Mul(DQ(Q(Conv(DQ(Q(x))))), HardSigmoid(DQ(Q(Conv(DQ(Q(x))))))))))");
  EXPECT_EQ(expression(net.graph.outputs()[1]), "Conv(DQ(Q(Conv(DQ(Q(x))))))");
}

TEST(InsertQdq, LeavesWhatNothingInInt8ReadsInFloat) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4, 3, "conv_c");
  net.graph.set_outputs({net.add(ops::Transpose, {net.add(ops::Relu, {c}, {}, "relu")},
                                 {{"perm", std::vector<int64_t>{0, 2, 3, 1}}}, "t")});
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]), "Transpose(Relu(Conv(DQ(Q(x)))))");
  EXPECT_EQ(decision(report, "t").note, "nothing behind it computes in int8");
}

TEST(InsertQdq, FloatReadersTakeTheDequantizedValueOfAnInt8ProducerAndTheOriginalOfAFloatOne) {
  Net net;
  Value* x = net.input({1, 3, 6, 6});
  Value* p = net.add(ops::Softmax, {x}, {}, "p");
  Value* c = net.add(ops::Relu, {net.conv(p, 3)});
  Value* s = net.add(ops::Softmax, {c});
  net.graph.set_outputs({net.add(ops::Softmax, {net.add(ops::Sub, {s, p})}), net.conv(c, 2)});
  net.quantize();
  EXPECT_EQ(expression(net.graph.outputs()[0]),
            "Softmax(Sub(Softmax(DQ(Q(Relu(Conv(DQ(Q(Softmax(x)))))))), Softmax(x)))");
}

TEST(InsertQdq, AnOutputThatInt8AlsoReadsKeepsItsName) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4, 3, "features");
  net.graph.set_outputs({c, net.conv(c, 2)});
  net.quantize();
  EXPECT_EQ(net.graph.outputs()[0]->name(), "features");
  EXPECT_EQ(expression(net.graph.outputs()[0]), "DQ(Q(Conv(DQ(Q(x)))))");
}

// ---- spectrograms ---------------------------------------------------------------------------------------------------

TEST(InsertQdq, KeepsWhatALogarithmReadsFloatButNotWhatIsLearnedInFrontOfIt) {
  Net net;
  Value* learned = net.add(ops::Relu, {net.conv(net.input({1, 3, 8, 8}), 4, 3, "learned")});
  Value* fourier = net.conv(learned, 4, 3, "fourier");
  Value* power = net.add(ops::Mul, {fourier, fourier});
  power = net.add(ops::Reshape, {power, net.ints({4, 64})});
  Value* bands = net.add(ops::MatMul, {power, net.constant(random_tensor({64, 8}, 1))}, {}, "bands");
  Value* log = net.add(ops::Log, {net.clip(bands, 1e-6f, 1e6f)}, {}, "log");
  net.graph.set_outputs({net.add(ops::MatMul, {log, net.constant(random_tensor({8, 2}, 2))}, {}, "behind")});
  const QuantizeReport report = net.quantize();
  for (const char* name : {"fourier", "bands"}) {
    EXPECT_EQ(decision(report, name).note, "the logarithm 'log' behind it would magnify its errors");
    EXPECT_FALSE(decision(report, name).quantized);
  }
  EXPECT_TRUE(decision(report, "learned").quantized);
  EXPECT_TRUE(decision(report, "behind").quantized);
}

// ---- scales -----------------------------------------------------------------------------------------------------

TEST(ShareScales, ValuePreservingOperatorsKeepTheScale) {
  Net net;
  Value* c = net.add(ops::Relu, {net.conv(net.input({1, 3, 8, 8}), 4)});
  Value* p = net.add(ops::MaxPool, {c},
                     {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}}, "pool");
  Value* t = net.add(ops::Transpose, {p}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}, "turned");
  Value* s = net.add(ops::Slice, {t, net.ints({0}), net.ints({2}), net.ints({1})}, {}, "cut");
  Value* z = net.add(ops::Pad, {s, net.ints({0, 1, 0, 0, 0, 1, 0, 0})}, {}, "padded");
  net.graph.set_outputs({net.conv(z, 2)});
  const QuantizeReport report = net.quantize();
  const QuantParams shared = quantized_value(report, "pool").params;
  for (const char* name : {"turned", "cut", "padded"})
    EXPECT_EQ(quantized_value(report, name).params.scale, shared.scale) << name;
  EXPECT_EQ(shared.zero_point, 0);
  EXPECT_EQ(net.graph.constants().size(), 18u)
      << "two parameters for x, two for the group, five for each convolution, four of Slice and Pad";
}

struct TwoBranches : Net {
  explicit TwoBranches(float factor) {
    Value* x = input({1, 3, 6, 6});
    Value* wide = add(ops::Mul, {conv(x, 4), constant(Tensor::scalar(factor))}, {}, "wide");
    Value* narrow = add(ops::Sigmoid, {conv(x, 4)}, {}, "narrow");
    graph.set_outputs({conv(add(ops::Concat, {wide, narrow}, {{"axis", int64_t{1}}}, "both"), 2)});
  }
};

TEST(ShareScales, ConcatUnitesSimilarRanges) {
  TwoBranches net(0.5f);
  const QuantizeReport report = net.quantize();
  EXPECT_EQ(quantized_value(report, "wide").params.scale, quantized_value(report, "narrow").params.scale);
  EXPECT_EQ(quantized_value(report, "wide").params.scale, quantized_value(report, "both").params.scale);
  EXPECT_TRUE(report.notes.empty());
}

TEST(ShareScales, ConcatKeepsVeryDifferentRangesApartAndSaysSo) {
  TwoBranches net(500);
  const QuantizeReport report = net.quantize();
  EXPECT_GT(quantized_value(report, "wide").params.scale, 50 * quantized_value(report, "narrow").params.scale);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("'both' (Concat): the range of 'wide' is"), std::string::npos) << report.notes[0];
}

TEST(ShareScales, WhatEveryReaderCutsOffNeedsNoSteps) {
  Net net;
  Value* x = net.input({1, 3, 6, 6});
  Value* p = net.add(ops::MaxPool, {net.conv(x, 4, 3, "conv_c")}, {{"kernel_shape", std::vector<int64_t>{1, 1}}}, "p");
  Value* q = net.add(ops::Add, {net.clip(p, -0.25f, 0.5f), net.add(ops::Relu, {net.conv(x, 4, 3, "d")})});
  net.graph.set_outputs({net.conv(q, 2)});
  const QuantizeReport report = net.quantize();
  // "d" has one reader in registers and no pair; "conv_c" and "p" share a scale, so p's readers alone cannot narrow it.
  EXPECT_LT(quantized_value(report, "p").range.low, -0.25f);
  EXPECT_EQ(quantized_value(report, "p").range, quantized_value(report, "conv_c").range);
}

TEST(ShareScales, AValueReadByActivationsOnlyTakesTheirBounds) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4, 3, "conv_c");
  net.graph.set_outputs({net.conv(net.clip(c, -0.25f, 0.5f), 2), net.conv(net.add(ops::Relu, {c}), 2)});
  const QuantizedValue v = quantized_value(net.quantize(), "conv_c");
  EXPECT_EQ(v.range.low, -0.25f);
  EXPECT_GT(v.range.high, 0.5f);  // Relu lets everything above 0 through
}

// ---- ranges ----

RangeMethod range_of_data(const Graph& graph, const Recipe& recipe = {}) {
  const auto plan = plan_qdq(graph, recipe);
  EXPECT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  return plan->ranges.front().method;
}

TEST(PlanRanges, CutNothingOffOfWhatAnExponentialOrAMaximumMakesTheMostOf) {
  for (const OpDef* op : {&ops::Exp, &ops::GlobalMaxPool, &ops::Sigmoid}) {
    Net net;
    Value* features = net.add(ops::Relu, {net.conv(net.input({1, 3, 6, 6}), 4, 3, "features")});
    net.graph.set_outputs({net.add(*op, {net.conv(features, 2, 1, "head")})});
    const auto plan = plan_qdq(net.graph, {});
    ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
    for (const RangeOptions& range : plan->ranges)
      EXPECT_EQ(range.method, op == &ops::Sigmoid ? RangeMethod::Mse : RangeMethod::MinMax) << op->name;
    Recipe recipe;
    recipe.set({Selector::By::Pattern, "features|head"}, {.method = RangeMethod::Mse});
    EXPECT_EQ(range_of_data(net.graph, recipe), RangeMethod::Mse) << "a rule about the node is obeyed";
  }
}

TEST(PlanRanges, AreUsualInFrontOfASoftmaxThatIsWrittenOut) {
  Net net;
  Value* logits = net.gemm(net.input({2, 8}), 4, "logits");
  Value* largest = net.add(ops::ReduceMax, {logits, net.ints({1})});
  net.graph.set_outputs({net.add(ops::Exp, {net.add(ops::Sub, {logits, largest})})});
  EXPECT_EQ(range_of_data(net.graph), RangeMethod::Mse);
}

// ---- arithmetic -------------------------------------------------------------------------------------------------

TEST(QuantParams, HoldZeroExactlyAndCoverTheRange) {
  const QuantParams p = uint8_params({-1, 1.55f});
  EXPECT_FLOAT_EQ(p.scale, 0.01f);
  EXPECT_EQ(p.zero_point, 100);
  EXPECT_EQ(uint8_params({2, 5.1f}).zero_point, 0);
  EXPECT_FLOAT_EQ(uint8_params({2, 5.1f}).scale, 0.02f);
  EXPECT_EQ(uint8_params({-5.1f, -2}).zero_point, 255);
}

TEST(QuantParams, OfARangeWithoutExtentAreOneAndZero) {
  for (const Range r : {Range{0, 0}, Range{0, 1e-40f}}) {
    EXPECT_EQ(uint8_params(r).scale, 1);
    EXPECT_EQ(uint8_params(r).zero_point, 0);
  }
}

TEST(QuantizeWeight, IsSymmetricPerOutputChannel) {
  const Tensor w = Tensor::of<float>({2, 3}, {1.27f, -0.635f, 0.005f, -254, 127, 3});
  const QuantizedWeight q = quantize_weight(w, 0, Tensor::vector<float>({1, -1}), 0.5f, true);
  EXPECT_FLOAT_EQ(q.scales.data<float>()[0], 0.01f);
  EXPECT_FLOAT_EQ(q.scales.data<float>()[1], 2);
  const std::vector<int8_t> values(q.values.data<int8_t>().begin(), q.values.data<int8_t>().end());
  EXPECT_EQ(values, (std::vector<int8_t>{127, -64, 0, -127, 64, 2}));  // -63.5, 0.5, 63.5 and 1.5 round to even
  EXPECT_EQ(q.bias.as_ints(), (std::vector<int64_t>{200, -1}));        // 1 / (0.5 * 0.01), -1 / (0.5 * 2)
}

TEST(QuantizeWeight, FollowsTheAxisAndCanUseOneScale) {
  const Tensor w = Tensor::of<float>({2, 2}, {1, 10, -127, 5});
  EXPECT_FLOAT_EQ(quantize_weight(w, 1, {}, 1, true).scales.data<float>()[0], 1);
  EXPECT_FLOAT_EQ(quantize_weight(w, 1, {}, 1, true).scales.data<float>()[1], 10.0f / 127);
  EXPECT_EQ(quantize_weight(w, 1, {}, 1, false).scales, Tensor::vector<float>({1, 1}));
}

TEST(QuantizeWeight, AChannelOfZerosStillCarriesItsBias) {
  const QuantizedWeight q =
      quantize_weight(Tensor::of<float>({2, 1}, {0, 0}), 0, Tensor::vector<float>({3, 0}), 0.1f, true);
  EXPECT_NEAR(q.bias.as_int(0) * 0.1 * q.scales.data<float>()[0], 3, 1e-5);
  EXPECT_EQ(q.scales.data<float>()[1], 1);
}

TEST(QuantizeWeight, WidensScalesUntilTheBiasFits) {
  const QuantizedWeight q =
      quantize_weight(Tensor::of<float>({1, 1}, {1e-9f}), 0, Tensor::vector<float>({100}), 0.01f, true);
  EXPECT_LE(q.bias.as_int(0), 1 << 29);
  EXPECT_NEAR(q.bias.as_int(0) * 0.01 * q.scales.data<float>()[0], 100, 1e-3);
}

TEST(QuantizeWeight, KnowsWhenTheAccumulatorIsTooSmall) {
  EXPECT_TRUE(fits_accumulator(Tensor::of<float>({1, 40000}, std::vector<float>(40000, 1)), 0));
  EXPECT_FALSE(fits_accumulator(Tensor::of<float>({1, 70000}, std::vector<float>(70000, 1)), 0));
  std::vector<float> few(70000, 0);
  few[0] = 1;
  EXPECT_TRUE(fits_accumulator(Tensor::of<float>({1, 70000}, few), 0));
}

TEST(InsertQdq, SharesTheConstantsOfATiedWeight) {
  Net net;
  Value* w = net.constant(random_tensor({6, 6}, 1), "w");
  Value* h = net.add(ops::MatMul, {net.input({2, 6}), w});
  net.graph.set_outputs({net.add(ops::MatMul, {h, w})});
  net.quantize();
  int dequantized = 0;
  for (const Node* node : net.graph.nodes())
    dequantized += node->is(ops::DequantizeLinear) && node->input(0)->is_constant();
  EXPECT_EQ(dequantized, 1);
}

}  // namespace
}  // namespace lapis::testing
