// Pass "integer": structure, and results compared with what the QDQ graph says by the reference evaluator.
#include "passes/quantize/integer.h"

#include "ir/ops/attributes.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

// A hand-written quantized graph. Values are bytes; `dq` and `q` add the nodes between them and floats.
class ByteNet : public Net {
 public:
  Value* bytes(Shape shape, std::string name = "x") {
    return graph.add_input(std::move(name), Type::tensor(DType::UInt8, shape));
  }
  Value* dq(Value* v, float scale, uint8_t zero = 0) {
    return add(ops::DequantizeLinear, {v, constant(Tensor::scalar(scale)), constant(Tensor::scalar(zero))});
  }
  Value* q(Value* v, float scale, uint8_t zero = 0) {
    return add(ops::QuantizeLinear, {v, constant(Tensor::scalar(scale)), constant(Tensor::scalar(zero))});
  }
  Value* weight(Shape shape, std::vector<int8_t> values, std::vector<float> scales, int64_t axis = 0) {
    const Attributes attributes = {{"axis", axis}};
    return add(ops::DequantizeLinear,
               {constant(Tensor::of<int8_t>(std::move(shape), std::move(values))), constant(Tensor::vector(scales))},
               attributes);
  }
  Value* bias(std::vector<int32_t> values, std::vector<float> scales) {
    return add(ops::DequantizeLinear, {constant(Tensor::vector(values)), constant(Tensor::vector(scales))},
               {{"axis", int64_t{0}}});
  }

  Tensor run(const Tensor& x) {
    auto outputs = evaluate(graph, {{graph.inputs()[0]->name(), x}});
    EXPECT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
    return (*outputs)[0];
  }
  // Runs the pass; `skipped` collects why rules did not apply.
  IntegerReport make_integer() {
    PassContext context;
    context.explain = [&](const Explanation& e) {
      if (!e.applied) skipped += e.rule + ": " + e.text + "\n";
    };
    EXPECT_TRUE(integer(graph, context).ok());
    const Diagnostics broken = verify(graph);
    EXPECT_TRUE(broken.empty()) << to_string(broken);
    return describe_integer(graph);
  }
  std::string structure() const { return expression(graph.outputs()[0]); }
  std::string skipped;
};

Tensor random_bytes(Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor t(DType::UInt8, std::move(shape));
  for (uint8_t& v : t.mutable_data<uint8_t>()) v = static_cast<uint8_t>(random());
  return t;
}
std::vector<int64_t> ints_of(const Tensor& t) { return t.as_ints(); }
using Ints = std::vector<int64_t>;

int64_t largest_difference(const Tensor& a, const Tensor& b) {
  int64_t largest = 0;
  for (int64_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.as_int(i) - b.as_int(i)));
  return largest;
}

// ---- contractions -----------------------------------------------------------------------------------------------

TEST(Integer, ConvBetweenPairsIsOneQLinearConv) {
  // y = Q(x0 * w): scales 0.5 and 0.25, out 0.25, so m = 0.5 and ties occur. x - 3 times 3 times 0.5, plus 10.
  ByteNet net;
  Value* y = net.add(ops::Conv, {net.dq(net.bytes({1, 1, 1, 6}), 0.5f, 3), net.weight({1, 1, 1, 1}, {3}, {0.25f})});
  net.graph.set_outputs({net.q(y, 0.25f, 10)});
  const Tensor x = Tensor::of<uint8_t>({1, 1, 1, 6}, {3, 4, 6, 2, 255, 0});
  const Tensor before = net.run(x);
  const IntegerReport report = net.make_integer();
  EXPECT_EQ(net.structure(), "QLinearConv(x)");
  // 0, 1.5 -> 2, 4.5 -> 4, -1.5 -> -2, 378 saturates, -4.5 -> -4
  EXPECT_EQ(ints_of(net.run(x)), (Ints{10, 12, 14, 8, 255, 6}));
  EXPECT_EQ(net.run(x), before);
  EXPECT_TRUE(report.byte_exact);
  EXPECT_TRUE(report.registers.empty() && report.boundaries.empty());
}

TEST(Integer, ReluDisappearsWhereTheQuantizerSaturatesAnyway) {
  for (const uint8_t zero : {0, 20}) {
    ByteNet net;
    Value* y = net.add(ops::Conv, {net.dq(net.bytes({1, 2, 4, 4}), 0.1f, 128),
                                   net.weight({2, 2, 1, 1}, {50, -60, 70, 80}, {0.01f, 0.02f}),
                                   net.bias({7, -9}, {0.1f * 0.01f, 0.1f * 0.02f})});
    net.graph.set_outputs({net.q(net.add(ops::Relu, {y}), 0.05f, zero)});
    const Tensor x = random_bytes({1, 2, 4, 4}, 5), before = net.run(x);
    net.make_integer();
    EXPECT_EQ(net.structure(), zero == 0 ? "QLinearConv(x)" : "Clip(QLinearConv(x))");
    EXPECT_LE(largest_difference(net.run(x), before), 1);
  }
}

TEST(Integer, ClipBecomesAClipOfBytesUnlessItsBoundsAreThoseOfTheType) {
  for (const float high : {6.0f, 5.0f}) {
    ByteNet net;
    Value* y =
        net.add(ops::Conv, {net.dq(net.bytes({1, 1, 8, 8}), 0.1f, 100), net.weight({1, 1, 1, 1}, {90}, {0.01f})});
    net.graph.set_outputs({net.q(net.clip(y, 0, high), 6.0f / 255, 0)});
    const Tensor x = random_bytes({1, 1, 8, 8}, 6), before = net.run(x);
    net.make_integer();
    EXPECT_EQ(net.structure(), high == 6 ? "QLinearConv(x)" : "Clip(QLinearConv(x))");
    EXPECT_LE(largest_difference(net.run(x), before), 1);
  }
}

TEST(Integer, ConvWithFloatResultIsASumTimesTheScalesOfItsChannels) {
  ByteNet net;
  Value* y = net.add(ops::Conv, {net.dq(net.bytes({1, 1, 1, 2}), 0.5f, 1),
                                 net.weight({2, 1, 1, 1}, {2, -3}, {0.25f, 4}), net.bias({5, -1}, {0.125f, 2})});
  net.graph.set_outputs({y});
  net.make_integer();
  EXPECT_EQ(net.structure(), "Mul(Cast(Add(ConvInteger(x))))");
  const Tensor result = net.run(Tensor::of<uint8_t>({1, 1, 1, 2}, {1, 11}));
  EXPECT_EQ(result, Tensor::of<float>({1, 2, 1, 2}, {5 * 0.125f, 25 * 0.125f, -1 * 2.0f, -31 * 2.0f}));
}

TEST(Integer, ProductBetweenPairsHasOneMultiply) {
  for (const int64_t transposed : {0, 1}) {
    ByteNet net;
    Value* x = net.dq(net.bytes({2, 3}), 0.1f, 7);
    Value* w = transposed ? net.weight({2, 3}, {1, 2, 3, -4, 5, -6}, {0.5f, 0.3f}, 0)
                          : net.weight({3, 2}, {1, -4, 2, 5, 3, -6}, {0.5f, 0.3f}, 1);
    Value* y = net.add(ops::Gemm, {x, w, net.bias({100, -50}, {0.1f * 0.5f, 0.1f * 0.3f})}, {{"transB", transposed}});
    net.graph.set_outputs({net.q(net.add(ops::Relu, {y}), 0.9f, 0)});
    const Tensor in = random_bytes({2, 3}, 8), before = net.run(in);
    const IntegerReport report = net.make_integer();
    EXPECT_EQ(net.structure(), "Q(Mul(Cast(Add(MatMulInteger(x)))))");
    EXPECT_LE(largest_difference(net.run(in), before), 1);
    EXPECT_TRUE(report.byte_exact);
    const float m = static_cast<float>(0.1f * 0.3f) / 0.9f;
    int32_t sum = -50;
    for (int64_t k = 0; k < 3; ++k)
      sum += (static_cast<int32_t>(in.as_int(k)) - 7) * std::array{-4, 5, -6}[static_cast<size_t>(k)];
    EXPECT_EQ(net.run(in).as_int(1), std::clamp<int64_t>(std::lrint(static_cast<float>(sum) * m), 0, 255));
  }
}

TEST(Integer, MatMulOfAnyRankTakesAMatrixOfWeights) {
  ByteNet net;
  Value* y = net.add(ops::MatMul, {net.dq(net.bytes({2, 5, 3}), 0.1f, 7),
                                   net.weight({3, 4}, std::vector<int8_t>(12, 3), {0.5f, 0.25f, 1, 2}, 1)});
  net.graph.set_outputs({y});
  const Tensor x = random_bytes({2, 5, 3}, 1), before = net.run(x);
  net.make_integer();
  EXPECT_EQ(net.structure(), "Mul(Cast(MatMulInteger(x)))");
  EXPECT_GT(sqnr(before, net.run(x)), 120);
}

TEST(Integer, QLinearMatMulIsOpened) {
  ByteNet net;
  const auto f = [&](float v) { return net.constant(Tensor::scalar(v)); };
  const auto u8 = [&](uint8_t v) { return net.constant(Tensor::scalar(v)); };
  Value* x = net.bytes({2, 3});
  Value* w = net.constant(Tensor::of<uint8_t>({3, 2}, {1, 40, 128, 200, 255, 90}));
  net.graph.set_outputs({net.add(ops::QLinearMatMul, {x, f(0.1f), u8(3), w, f(0.02f), u8(128), f(0.5f), u8(9)})});
  const Tensor in = random_bytes({2, 3}, 2), before = net.run(in);
  net.make_integer();
  EXPECT_EQ(net.structure(), "Q(Mul(Cast(MatMulInteger(x))))");
  EXPECT_EQ(net.run(in), before);
}

TEST(Integer, ForeignUnsignedWeightsBecomeInt8WithoutZeroPoint) {
  ByteNet net;
  Value* w =
      net.add(ops::DequantizeLinear, {net.constant(Tensor::of<uint8_t>({2, 1, 1, 1}, {0, 255})),
                                      net.constant(Tensor::scalar(0.1f)), net.constant(Tensor::scalar<uint8_t>(128))});
  net.graph.set_outputs({net.q(net.add(ops::Conv, {net.dq(net.bytes({1, 1, 3, 3}), 0.1f), w}), 0.2f, 128)});
  const Tensor x = random_bytes({1, 1, 3, 3}, 3), before = net.run(x);
  net.make_integer();
  EXPECT_EQ(net.structure(), "QLinearConv(x)");
  EXPECT_EQ(net.graph.outputs()[0]->producer()->input(3)->dtype(), DType::Int8);
  EXPECT_LE(largest_difference(net.run(x), before), 1);
}

TEST(Integer, AFloatBiasIsRoundedToTheAccumulator) {
  ByteNet net;
  Value* b = net.constant(Tensor::vector<float>({0.013f}));
  net.graph.set_outputs({net.q(
      net.add(ops::Conv, {net.dq(net.bytes({1, 1, 3, 3}), 0.1f), net.weight({1, 1, 1, 1}, {90}, {0.01f}), b}), 0.2f)});
  net.make_integer();
  EXPECT_EQ(net.graph.outputs()[0]->producer()->input(8)->constant(), Tensor::vector<int32_t>({13}));
}

TEST(Integer, SaysWhyAContractionStaysFloat) {
  ByteNet net;
  Value* x = net.input({1, 1, 3, 3}, "real");
  net.graph.set_outputs({net.q(net.add(ops::Conv, {x, net.weight({1, 1, 1, 1}, {90}, {0.01f})}), 0.2f)});
  const IntegerReport report = net.make_integer();
  EXPECT_NE(net.skipped.find("its data 'real' is not dequantized"), std::string::npos) << net.skipped;
  ASSERT_EQ(report.islands.size(), 1u);
  EXPECT_EQ(report.islands[0].op, "Conv");
  EXPECT_FALSE(report.byte_exact);
  EXPECT_EQ(net.structure(), "Q(Conv(real))") << "the weights are float again";
}

// ---- bytes ------------------------------------------------------------------------------------------------------
// ------------

// int32 sums wrap, those of floats do not.
TEST(Integer, SumsThatMayExceed32BitsStayFloat) {
  for (const int64_t depth : {int64_t{66'000}, int64_t{70'000}}) {
    ByteNet net;
    Value* x = net.dq(net.bytes({1, depth}), 1.f);
    std::vector<int8_t> ones(static_cast<size_t>(depth), 127);
    net.graph.set_outputs({net.add(ops::MatMul, {x, net.weight({depth, 1}, ones, {1.f}, 1)})});
    Tensor largest(DType::UInt8, {1, depth});
    for (uint8_t& v : largest.mutable_data<uint8_t>()) v = 255;
    const Tensor before = net.run(largest);
    net.make_integer();
    EXPECT_EQ(net.run(largest), before);
    const bool wraps = depth == 70'000;
    EXPECT_EQ(net.structure().find("MatMulInteger") == std::string::npos, wraps) << net.structure();
    EXPECT_EQ(net.skipped.find("its sums may exceed 32 bits") != std::string::npos, wraps) << net.skipped;
  }
}

// 0 times an infinite multiplier is no number, and the products one by one are 0.
TEST(Integer, ScalesWhoseProductLeavesFloatStayApart) {
  struct Case {
    float x, w, y;
  };
  for (const auto& [sx, sw, sy] : {Case{1e5f, 1, 1e-38f}, Case{1e30f, 1e30f, 1e30f}, Case{1e-30f, 1e-30f, 1},
                                   Case{2e38f, 1, 1}, Case{1, 1, 1e-45f}}) {
    for (const bool quantized : {false, true}) {
      ByteNet net;
      Value* sum = net.add(ops::MatMul, {net.dq(net.bytes({1, 2}), sx, 1), net.weight({2, 1}, {1, 1}, {sw}, 1)});
      net.graph.set_outputs({quantized ? net.q(sum, sy, 1) : sum});
      const Tensor zeros = Tensor::of<uint8_t>({1, 2}, {1, 1});
      const Tensor before = net.run(zeros);
      net.make_integer();
      EXPECT_EQ(net.run(zeros).as_double(0), before.as_double(0))
          << sx << " * " << sw << " / " << sy << ": " << net.structure();
    }
  }
}

TEST(Integer, ValuePreservingOperatorsWorkOnBytes) {
  ByteNet net;
  Value* v = net.dq(net.bytes({1, 2, 4, 4}), 0.1f, 9);
  v = net.add(ops::MaxPool, {v},
              {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  v = net.add(ops::Transpose, {net.add(ops::Pad, {v, net.ints({0, 0, 1, 0, 0, 0, 0, 0})})},
              {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  v = net.add(ops::Reshape, {net.add(ops::Slice, {v, net.ints({1}), net.ints({3}), net.ints({1})}), net.ints({1, -1})});
  net.graph.set_outputs({net.q(v, 0.1f, 9)});
  const Tensor x = random_bytes({1, 2, 4, 4}, 4), before = net.run(x);
  const IntegerReport report = net.make_integer();
  EXPECT_EQ(net.structure(), "Reshape(Slice(Transpose(Pad(MaxPool(x)))))");
  EXPECT_EQ(net.run(x), before);
  EXPECT_TRUE(report.boundaries.empty());
}

TEST(Integer, SplitMovesBytesIntoAllResults) {
  ByteNet net;
  Node* split = net.graph.add_node(ops::Split, {net.dq(net.bytes({1, 4}), 0.1f, 9)},
                                   {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}}, {"a", "b"});
  ASSERT_TRUE(infer_types(*split).ok());
  net.graph.set_outputs({net.q(split->output(1), 0.1f, 9), split->output(0)});
  net.make_integer();
  EXPECT_EQ(expression(net.graph.outputs()[0]), "Split(x)");
  EXPECT_EQ(expression(net.graph.outputs()[1]), "DQ(Split(x))");
  EXPECT_EQ(net.graph.outputs()[1]->name(), "a");
}

TEST(Integer, ConcatOfDifferentScalesRequantizesItsOperands) {
  ByteNet net;
  Value* x = net.bytes({1, 4});
  Value* v = net.add(ops::Concat, {net.dq(x, 0.1f, 9), net.dq(x, 0.5f, 0)}, {{"axis", int64_t{1}}});
  net.graph.set_outputs({net.q(v, 0.5f, 0)});
  const Tensor in = random_bytes({1, 4}, 4), before = net.run(in);
  net.make_integer();
  EXPECT_EQ(net.structure(), "Concat(Q(DQ(x)), x)");
  EXPECT_EQ(net.run(in), before);
  EXPECT_NE(net.skipped.find("it requantizes"), std::string::npos);
}

TEST(Integer, AQuantizerMovesInFrontOfAMovementSoThatTheContractionTakesIt) {
  ByteNet net;
  Value* c = net.add(ops::Conv, {net.dq(net.bytes({1, 1, 2, 2}), 0.1f), net.weight({1, 1, 1, 1}, {90}, {0.01f})});
  net.graph.set_outputs({net.q(net.add(ops::Flatten, {c}), 0.2f)});
  net.make_integer();
  EXPECT_EQ(net.structure(), "Flatten(QLinearConv(x))");
}

TEST(Integer, PadWithAValueThatIsNoByteStaysFloat) {
  ByteNet net;
  Value* v =
      net.add(ops::Pad, {net.dq(net.bytes({1, 4}), 0.5f), net.ints({0, 1, 0, 0}), net.constant(Tensor::scalar(0.7f))});
  net.graph.set_outputs({v});
  net.make_integer();
  EXPECT_EQ(net.structure(), "Pad(DQ(x))");
  EXPECT_NE(net.skipped.find("the padded value is not one of the 256"), std::string::npos);
}

TEST(Integer, GlobalMaxPoolReducesBytes) {
  ByteNet net;
  net.graph.set_outputs({net.q(net.add(ops::GlobalMaxPool, {net.dq(net.bytes({1, 2, 3, 3}), 0.5f, 2)}), 0.5f, 2)});
  const Tensor x = random_bytes({1, 2, 3, 3}, 4), before = net.run(x);
  net.make_integer();
  EXPECT_EQ(net.structure(), "ReduceMax(x)");
  EXPECT_EQ(net.run(x), before);
}

TEST(Integer, AnEmbeddingTableIsGatheredAsBytes) {
  ByteNet net;
  Value* table =
      net.add(ops::DequantizeLinear, {net.constant(random_bytes({10, 4}, 1)), net.constant(Tensor::scalar(0.1f)),
                                      net.constant(Tensor::scalar<uint8_t>(128))});
  Value* ids = net.graph.add_input("ids", Type::tensor(DType::Int64, Shape{3}));
  net.graph.set_outputs({net.add(ops::Gather, {table, ids})});
  net.make_integer();
  EXPECT_EQ(net.structure(), "DQ(Gather(ids))");
}

TEST(Integer, TransposedWeightsKeepTheirChannelScales) {
  ByteNet net;
  Value* w = net.add(ops::Transpose, {net.weight({2, 3}, {1, 2, 3, -4, 5, -6}, {0.5f, 0.3f}, 0)},
                     {{"perm", std::vector<int64_t>{1, 0}}});
  net.graph.set_outputs({net.add(ops::MatMul, {net.dq(net.bytes({2, 3}), 0.1f, 7), w})});
  const Tensor x = random_bytes({2, 3}, 4), before = net.run(x);
  net.make_integer();
  EXPECT_EQ(net.structure(), "Mul(Cast(MatMulInteger(x)))");
  EXPECT_GT(sqnr(before, net.run(x)), 120);
}

// ---- averages ---------------------------------------------------------------------------------------------------

TEST(Integer, GlobalAveragePoolSumsBytes) {
  ByteNet net;
  net.graph.set_outputs(
      {net.q(net.add(ops::GlobalAveragePool, {net.dq(net.bytes({1, 1, 2, 2}), 0.5f, 10)}), 0.25f, 3)});
  net.make_integer();
  EXPECT_EQ(net.structure(), "Q(Mul(Cast(Sub(ReduceSum(Cast(x))))))");
  // (11 + 12 + 13 + 20 - 40) * 0.125 = 2; / 0.25 = 8; + 3
  EXPECT_EQ(ints_of(net.run(Tensor::of<uint8_t>({1, 1, 2, 2}, {11, 12, 13, 20}))), Ints{11});
}

TEST(Integer, AveragePoolOfWholePlanesAndReduceMeanAreSumsToo) {
  for (const bool pool : {true, false}) {
    ByteNet net;
    Value* x = net.dq(net.bytes({1, 2, 3, 3}), 0.5f);
    Value* y = pool ? net.add(ops::AveragePool, {x}, {{"kernel_shape", std::vector<int64_t>{3, 3}}})
                    : net.add(ops::ReduceMean, {x, net.ints({-1, -2})}, {{"keepdims", int64_t{0}}});
    net.graph.set_outputs({net.q(y, 0.5f)});
    const Tensor in = random_bytes({1, 2, 3, 3}, 4), before = net.run(in);
    net.make_integer();
    EXPECT_EQ(net.structure(), "Q(Mul(Cast(ReduceSum(Cast(x)))))");
    EXPECT_LE(largest_difference(net.run(in), before), 1);
    EXPECT_EQ(net.run(in).shape(), before.shape());
  }
}

TEST(Integer, AveragePoolOfWindowsIsADepthwiseSum) {
  ByteNet net;
  Value* y = net.add(ops::AveragePool, {net.dq(net.bytes({1, 2, 5, 5}), 0.5f, 7)},
                     {{"kernel_shape", std::vector<int64_t>{2, 2}},
                      {"pads", std::vector<int64_t>{1, 1, 0, 0}},
                      {"strides", std::vector<int64_t>{2, 2}},
                      {"count_include_pad", int64_t{1}}});
  net.graph.set_outputs({net.q(y, 0.5f, 7)});
  const Tensor in = random_bytes({1, 2, 5, 5}, 4), before = net.run(in);
  net.make_integer();
  EXPECT_EQ(net.structure(), "Q(Mul(Cast(ConvInteger(x))))");
  EXPECT_LE(largest_difference(net.run(in), before), 1);
}

TEST(Integer, AveragePoolWithUnequalWindowsSaysSo) {
  ByteNet net;
  net.graph.set_outputs(
      {net.add(ops::AveragePool, {net.dq(net.bytes({1, 2, 5, 5}), 0.5f)},
               {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 0, 0}}})});
  EXPECT_EQ(net.make_integer().islands.size(), 1u);
  EXPECT_NE(net.skipped.find("its windows do not all hold the same number of values"), std::string::npos)
      << net.skipped;
}

// ---- whole networks ---------------------------------------------------------------------------------------------

struct Residual : ByteNet {
  Residual() {
    Value* a = add(ops::Relu, {conv(input({1, 3, 8, 8}), 8)});
    Value* b = clip(conv(a, 8), 0, 6);
    Value* sum = add(ops::Relu, {add(ops::Add, {conv(b, 8), a})});
    Value* pooled = add(ops::MaxPool, {sum},
                        {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
    Value* mean = add(ops::Flatten, {add(ops::GlobalAveragePool, {conv(pooled, 8)})});
    graph.set_outputs({gemm(mean, 5)});
  }
};

TEST(Integer, AQuantizedNetworkHasNoFloatIsland) {
  Residual net;
  net.quantize();
  const IntegerReport report = net.make_integer();
  EXPECT_TRUE(report.islands.empty()) << report.islands[0].node;
  EXPECT_TRUE(report.byte_exact);
  int contractions = 0;
  for (const Node* node : net.graph.nodes()) contractions += node->is(ops::QLinearConv) || node->is(ops::MatMulInteger);
  EXPECT_EQ(contractions, 5);
}

TEST(Integer, AgreesWithTheQdqGraphOnManyInputs) {
  Residual net;
  net.quantize();
  const auto qdq = net.graph.clone();
  net.make_integer();
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Tensor x = random_tensor({1, 3, 8, 8}, 200 + seed, 1.5f);
    const Tensor expected = (*evaluate(*qdq, {{"x", x}}))[0];
    EXPECT_GT(sqnr(expected, net.run(x)), 35) << seed;
  }
}

// A sum of floats in front of a quantizer may end on either side of a tie; one behind all quantizers does not matter.
TEST(Integer, SaysWhetherInexactFloatsAreQuantized) {
  const auto quantizes = [](auto&& build) {
    Net net;
    net.graph.set_outputs({build(net)});
    net.quantize();
    PassContext context;
    EXPECT_TRUE(integer(net.graph, context).ok());
    return quantizes_inexact_floats(net.graph);
  };
  EXPECT_FALSE(quantizes([](Net& n) { return n.conv(n.add(ops::Relu, {n.conv(n.input({1, 3, 6, 6}), 4)}), 2); }));
  EXPECT_FALSE(quantizes([](Net& n) { return n.add(ops::Exp, {n.conv(n.input({1, 3, 6, 6}), 4)}); }));
  EXPECT_TRUE(quantizes([](Net& n) { return n.conv(n.add(ops::Exp, {n.input({1, 3, 6, 6})}), 4); }));
}

TEST(Integer, IsIdempotent) {
  Residual net;
  net.quantize();
  net.make_integer();
  const std::string once = net.structure();
  const Tensor x = random_tensor({1, 3, 8, 8}, 1), y = net.run(x);
  net.make_integer();
  EXPECT_EQ(net.structure(), once);
  EXPECT_EQ(net.run(x), y);
}

}  // namespace
}  // namespace lapis::testing
