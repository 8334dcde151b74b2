// Operators that are read by their definitions, those of ONNX Runtime above all: what of them is refused, and why.
// Their results are held against ONNX Runtime in tests/tools/definitions_test.py.
#include "frontends/onnx/definitions/definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "frontends/onnx/import.h"
#include "ir/evaluate.h"
#include "ir/ops/ops.h"
#include "ir/rewrite.h"

namespace lapis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string errors_of(const std::string& inputs, const std::string& body, int opset = 17) {
  const auto graph = parse_onnx_text("<ir_version: 10, opset_import: [\"\" : " + std::to_string(opset) +
                                         ", \"com.microsoft\" : 1]> g (" + inputs + ") => (float[] y) { " + body + " }",
                                     "test");
  return graph.ok() ? "" : to_string(graph.diagnostics());
}

TEST(Definitions, OperatorsAreDefinedOnce) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto* d : onnx_frontend::definitions::all())
    EXPECT_TRUE(seen.emplace(d->domain, d->op()).second) << d->op();
  EXPECT_GT(seen.size(), 30u);
}

TEST(Definitions, WhatIsNotReadIsNamedWithTheReason) {
  const std::string x = "float[2,3,8] x";
  EXPECT_THAT(errors_of(x, "y = com.microsoft.FastGelu<colour = 1>(x)"),
              AllOf(HasSubstr("operator com.microsoft::FastGelu is not supported: its attribute 'colour' is not known"),
                    HasSubstr("ORT_ENABLE_BASIC")));
  EXPECT_THAT(errors_of(x + ", float[8] g", "y, m = com.microsoft.SkipLayerNormalization(x, x, g)"),
              HasSubstr("the model uses its output 'mean'"));
  EXPECT_THAT(
      errors_of("float[1,2,5,5] x, float[4,2,3,3] w", "y = com.microsoft.FusedConv<activation = \"Blue\">(x, w)"),
      HasSubstr("its activation is 'Blue'"));
  EXPECT_THAT(errors_of(x, "y = com.microsoft.MultiHeadAttention<num_heads = 2>(x)"),
              HasSubstr("not three separate operands"));
  EXPECT_THAT(errors_of(x + ", float[8,24] w", "y = com.microsoft.Attention<num_heads = 2, do_rotary = 1>(x, w)"),
              HasSubstr("it asks for do_rotary"));
  EXPECT_THAT(errors_of("float[2,64] x, uint8[8,2,16] w, float[16] s",
                        "y = com.microsoft.MatMulNBits<K = 64, N = 8, block_size = 32>(x, w, s)"),
              HasSubstr("its weights are not constant"));
}

TEST(Definitions, MasksOfOneNumberASequenceNeedToBeKnownAsSuch) {
  const auto with_mask = [](const std::string& sizes) {
    return errors_of("float[B,S,6] x, float[6,12] w, float[12] b, int32[" + sizes + "] m",
                     "y = com.microsoft.Attention<num_heads = 2>(x, w, b, m)");
  };
  EXPECT_EQ(with_mask("B"), "");
  EXPECT_THAT(with_mask("M"), AllOf(HasSubstr("its 'mask_index' has M numbers for B sequences"), HasSubstr("--dim")));
}

TEST(Definitions, CallsThatCannotBeAreErrorsAtTheNode) {
  const std::string x = "float[2,3] x";
  EXPECT_THAT(errors_of(x, "[n] y = com.microsoft.BiasGelu(x)"),
              AllOf(HasSubstr("node 'n' (BiasGelu)"), HasSubstr("has 1 inputs but needs 2")));
  EXPECT_THAT(errors_of(x, "[n] y = com.microsoft.FastGelu(x, x, x)"), HasSubstr("more operands than FastGelu takes"));
  EXPECT_THAT(errors_of(x, "[n] y = com.microsoft.QuickGelu<alpha = 1>(x)"),
              HasSubstr("'alpha' is not of the kind FLOAT"));
  EXPECT_THAT(errors_of("float[2,4,6] x, float[6,13] w", "[n] y = com.microsoft.Attention<num_heads = 1>(x, w)"),
              HasSubstr("13 columns are not three parts"));
  EXPECT_THAT(errors_of("float[2,4,6] x, float[6,12] w", "[n] y = com.microsoft.Attention(x, w)"),
              HasSubstr("num_heads must be at least 1"));
  // What is wrong inside of the definition is said of the node of the model, which is all that its author knows.
  EXPECT_THAT(errors_of(x + ", int32[3] b", "[n] y = com.microsoft.BiasGelu(x, b)"),
              AllOf(HasSubstr("node 'n' (Add)"), HasSubstr("they must be of one type")));
}

TEST(Definitions, LayoutsOfOneMachineAreNamedForWhatTheyAre) {
  EXPECT_THAT(errors_of("float[1,8,4,4] x", "y = com.microsoft.nchwc.ReorderInput(x)"),
              HasSubstr("ORT_ENABLE_EXTENDED"));
}

TEST(Definitions, LayerNormalizationIsOlderThereThanInOnnx) {
  const std::string inputs = "float[2,3] x, float[3] s";
  EXPECT_EQ(errors_of(inputs, "y = LayerNormalization<axis = -1>(x, s)", 13), "");
  EXPECT_EQ(errors_of(inputs, "y = SimplifiedLayerNormalization<axis = -1>(x, s)"), "");
  EXPECT_THAT(errors_of(inputs, "y = NoSuchNormalization(x, s)"), HasSubstr("ONNX has no such operator"));
}

TEST(Definitions, OperatorsOfOnnxAreReadByTheSameRows) {
  const std::string x = "float[2,3,8] x";
  EXPECT_EQ(errors_of(x, "y = Hardmax(x)"), "");
  EXPECT_EQ(errors_of(x + ", int64[3] n", "y = ReverseSequence(x, n)"), "");
  EXPECT_THAT(errors_of(x + ", int64[3] n", "y = ReverseSequence<time_axis = 2>(x, n)"),
              HasSubstr("batch_axis and time_axis are not 0 and 1"));
  EXPECT_THAT(errors_of(x, "y = LpPool<kernel_shape = [2], ceil_mode = 1>(x)", 18),
              AllOf(HasSubstr("operator LpPool is not supported: its ceil_mode"), HasSubstr("with pads")));
  const std::string sampled = "float[2,3,4,5] x, float[2,6,7,2] g",
                    boxes = "float[2,3,8,9] x, float[R,4] b, int64[R] n";
  EXPECT_EQ(errors_of(sampled, "y = GridSample<mode = \"bicubic\">(x, g)", 16), "");
  EXPECT_THAT(errors_of(sampled, "y = GridSample<mode = \"blue\">(x, g)", 20), HasSubstr("'blue' is neither"));
  EXPECT_THAT(errors_of("int32[2,3,4,5] x, float[2,6,7,2] g", "y = GridSample(x, g)"),
              AllOf(HasSubstr("operator GridSample is not supported: its map has no floats"), HasSubstr("Cast")));
  EXPECT_EQ(errors_of(boxes, "y = RoiAlign<output_height = 2>(x, b, n)", 10), "");
  EXPECT_THAT(errors_of(boxes, "y = RoiAlign<output_height = 0>(x, b, n)"), HasSubstr("from 1 to 1024 cells"));
  EXPECT_THAT(errors_of(boxes, "y = RoiAlign<mode = \"min\">(x, b, n)"), HasSubstr("neither avg nor max"));
  EXPECT_THAT(errors_of(x, "y = GlobalLpPool<p = 0>(x)"), HasSubstr("its p is less than 1"));
}

Tensor converted(const Tensor& tensor, DType type) {
  auto cast = evaluate_op(ops::Cast, {tensor}, {{"to", static_cast<int64_t>(type)}});
  EXPECT_TRUE(cast.ok());
  return *std::move(cast);
}

// y of x and, where the body reads it, of places g on it: all of one type.
Tensor result_of(const std::string& body, const Tensor& x, const Tensor& g) {
  const std::string type(name_of(x.dtype()));
  const auto graph = parse_onnx_text("<ir_version: 10, opset_import: [\"\" : 24, \"com.microsoft\" : 1]> g (" + type +
                                         "[1,2,2,3] x, " + type + "[1,1,2,2] g) => (" + type + "[] y) { " + body + " }",
                                     "test");
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto results = evaluate(**graph, {{"x", x}, {"g", g}});
  EXPECT_TRUE(results.ok()) << to_string(results.diagnostics());
  return results->front();
}

// Squares of these are beyond what a float16 holds, and differences of these less than what a bfloat16 resolves.
TEST(Definitions, HalvesOfOnnxsOperatorsComputeInFloatAndAreRoundedOnce) {
  const Tensor numbers = Tensor::of<float>({1, 2, 2, 3}, {300, 400, -500, 1000, 1001, 1002, 5, 5, 5, 0, 700, -0.25f});
  const Tensor places = Tensor::of<float>({1, 1, 2, 2}, {0.3f, -0.2f, -0.7f, 0.9f});
  for (const std::string body : {
           "y = LpPool<kernel_shape = [1, 2]>(x)",
           "y = LpPool<kernel_shape = [2, 2], p = 3>(x)",
           "y = GlobalLpPool(x)",
           "y = LpNormalization(x)",
           "y = LpNormalization<p = 1, axis = 1>(x)",
           "y = MeanVarianceNormalization(x)",
           "y = MeanVarianceNormalization<axes = [-1]>(x)",
           "y = com.microsoft.FusedMatMul<alpha = 0.001, transB = 1>(x, x)",
           "l = Constant<value = int64[1,2,3] {0, 1, 1, 0, 1, 0}>() y = SoftmaxCrossEntropyLoss(x, l)",
           "l = Constant<value = int64[1,2,3] {0, 1, 1, 0, 1, 0}>() z, y = SoftmaxCrossEntropyLoss(x, l)",
           "y = Attention<softcap = 2.0>(x, x, x)",
           "y = Attention<is_causal = 1, scale = 0.01>(x, x, x)",
           "a, b, c, y = Attention<qk_matmul_output_mode = 1, softcap = 30.0>(x, x, x, , x, x)",
           "l = Constant<value = int64[1,2,3] {0, 1, 1, 0, 1, 0}>() y = NegativeLogLikelihoodLoss(x, l)",
           "n = Constant<value_ints = [3]>() "
           "j = Constant<value = int64[1,2] {0, 1}>() p = Pad(x, l, , n) l = Constant<value_ints = [0, 1]>() c = "
           "Squeeze(g) "
           "y = RotaryEmbedding(p, c, c, j)",
           "u = Constant<value_ints = [2, 2, 3]>() m = Reshape(x, u) q = Constant<value_ints = [2, 2, 4, 3]>() "
           "y = AffineGrid(m, q)",
           "o = Constant<value_ints = [3]>() f = ConstantOfShape(o) w = CastLike(f, x) v = Exp(w) "
           "y = RMSNormalization(x, v)",
           "y = com.microsoft.BiasGelu(x, x)",
           "y = com.microsoft.FastGelu(x, x)",
           "y = com.microsoft.FusedConv<activation = \"Tanh\">(x, k) k = Concat<axis = 1>(g, g)",
           "y = GridSample<mode = \"linear\">(x, g)",
           "y = GridSample<mode = \"cubic\", padding_mode = \"border\">(x, g)",
       })
    for (const DType type : {DType::Float16, DType::BFloat16}) {
      const Tensor x = converted(numbers, type), g = converted(places, type);
      const Tensor wanted = result_of(body, converted(x, DType::Float32), converted(g, DType::Float32));
      EXPECT_EQ(result_of(body, x, g), converted(wanted, type)) << body << " of " << name_of(type);
    }
}

TEST(Definitions, MeanVarianceNormalizationTakesEveryFloatAndConstantMaps) {
  const Tensor x = Tensor::of<double>({1, 2, 2, 3}, {1, 3, 1, 3, 1, 3, 1000.1, 1000.1, 1000.1, 1000.1, 1000.1, 1000.1});
  const Tensor y = result_of("y = MeanVarianceNormalization<axes = [0, 2, 3]>(x)", x,
                             Tensor::of<double>({1, 1, 2, 2}, {0, 0, 0, 0}));
  for (int64_t i = 0; i < 6; ++i) EXPECT_NEAR(y.as_double(i), i % 2 ? 1 : -1, 1e-8);
  for (int64_t i = 6; i < 12; ++i) EXPECT_NEAR(y.as_double(i), 0, 1e-3);
}

TEST(Definitions, WindowsOfIntegersAreOneWhereTheyArePeaks) {
  for (const std::string op : {"BlackmanWindow", "HammingWindow", "HannWindow"})
    for (int64_t half = 1; half < 70; ++half)
      for (const bool periodic : {true, false}) {
        const int64_t size = 2 * half + (periodic ? 0 : 1);
        const auto graph = parse_onnx_text(
            "<ir_version: 8, opset_import: [\"\" : 17]> g () => (int32[] y) <int64 n = {" + std::to_string(size) +
                "}> { y = " + op + "<output_datatype = 6, periodic = " + std::to_string(periodic) + ">(n) }",
            "test");
        ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
        std::vector<int32_t> wanted(static_cast<size_t>(size), 0);
        wanted[static_cast<size_t>(half)] = 1;
        EXPECT_EQ(evaluate(**graph, {})->front(), Tensor::of<int32_t>({size}, wanted)) << op << " of " << size;
      }
}

// y of x, whose type it has.
Tensor shrunk(const std::string& attributes, const Tensor& x) {
  const std::string type(name_of(x.dtype()));
  const auto graph = parse_onnx_text("<ir_version: 8, opset_import: [\"\" : 9]> g (" + type + "[5] x) => (" + type +
                                         "[5] y) { y = Shrink<" + attributes + ">(x) }",
                                     "test");
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto results = evaluate(**graph, {{"x", x}});
  EXPECT_TRUE(results.ok()) << to_string(results.diagnostics());
  return results->front();
}

TEST(Definitions, ShrinkOfIntegersComputesWithTheNumbersOfItsAttributes) {
  using enum DType;
  const Tensor x = Tensor::of<float>({5}, {0, 1, 2, 3, 100});
  for (const DType type : {UInt8, UInt16, UInt32, UInt64, Int8, Int16, Int32, Int64})
    EXPECT_EQ(shrunk("lambd = 1.5, bias = 0.5", converted(x, type)),
              converted(Tensor::of<float>({5}, {0, 0, 1, 2, 99}), type))
        << name_of(type);
  EXPECT_EQ(shrunk("lambd = 1.5, bias = 0.5", Tensor::of<int8_t>({5}, {-1, -2, -3, -4, 2})),
            Tensor::of<int8_t>({5}, {0, -1, -2, -3, 1}));
  const Tensor halves = Tensor::of<float>({5}, {-1.25f, -1, 0, 1, 1.25f});
  EXPECT_EQ(shrunk("lambd = 1.0, bias = 0.0625", converted(halves, Float16)),
            converted(Tensor::of<float>({5}, {-1.1875f, 0, 0, 0, 1.1875f}), Float16));
}

TEST(Definitions, SoftmaxCrossEntropyLossTakesBFloat16FromTheStart) {
  const auto graph = parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 13]> g (bfloat16[3,4] x, int64[3] l, "
      "bfloat16[4] w) => (bfloat16 y, bfloat16[3,4] z) { y, z = "
      "SoftmaxCrossEntropyLoss<ignore_index = 1>(x, l, w) }",
      "test");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->outputs()[0]->type().to_string(), "bfloat16[]");
  EXPECT_EQ((*graph)->outputs()[1]->type().to_string(), "bfloat16[3,4]");
}

}  // namespace
}  // namespace lapis
