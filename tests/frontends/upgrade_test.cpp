// Operators as opsets 1 to 24 wrote them, against hand-worked results of what they meant then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "ir/ops/attributes.h"
#include "ir/verify.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using testing::HasSubstr;

struct Case {
  int opset;
  std::string_view body;
  std::string operators;
  Tensor x, y;
};

Tensor row(std::vector<float> values) { return Tensor::vector(std::move(values)); }
Tensor table(int64_t rows, int64_t columns, std::vector<float> values) {
  return Tensor::of<float>({rows, columns}, std::move(values));
}
Tensor image(int64_t h, int64_t w, std::vector<float> values) {
  return Tensor::of<float>({1, 1, h, w}, std::move(values));
}

class Upgrade : public testing::TestWithParam<Case> {};

TEST_P(Upgrade, KeepsItsMeaning) {
  const Case& c = GetParam();
  SCOPED_TRACE(c.body);
  const auto graph = graph_of(c.body, c.opset);
  ASSERT_TRUE(graph);
  EXPECT_EQ(operators_of(*graph), c.operators);
  EXPECT_TRUE(verify(*graph).empty()) << to_string(verify(*graph));
  const auto results = evaluate(*graph, {{"x", c.x}});
  ASSERT_TRUE(results.ok()) << to_string(results.diagnostics());
  ASSERT_EQ((*results)[0].shape(), c.y.shape());
  for (int64_t i = 0; i < c.y.size(); ++i)
    EXPECT_NEAR((*results)[0].as_double(i), c.y.as_double(i), 1e-6) << "element " << i;
}

const Tensor kX23 = table(2, 3, {1, 2, 3, 4, 5, 6});
const Tensor kX122 = Tensor::of<float>({1, 2, 2}, {0, 0, 0, 0});

INSTANTIATE_TEST_SUITE_P(
    AttributesToInputs, Upgrade,
    testing::Values(
        Case{11, "(float[1,3] x) => (float[3] y) { y = Squeeze<axes = [0]>(x) }", "Squeeze", table(1, 3, {1, 2, 3}),
             row({1, 2, 3})},
        Case{11, "(float[3] x) => (float[1,3] y) { y = Unsqueeze<axes = [0]>(x) }", "Unsqueeze", row({1, 2, 3}),
             table(1, 3, {1, 2, 3})},
        Case{10, "(float[4] x) => (float[4] y) { y = Clip<min = -1.0, max = 2.0>(x) }", "Clip", row({-3, 0, 2, 5}),
             row({-1, 0, 2, 2})},
        Case{7, "(float[3] x) => (float[3] y) { y = Clip<max = 2.0>(x) }", "Clip", row({-3, 0, 5}), row({-3, 0, 2})},
        Case{10, "(float[2] x) => (float[2] y) <float s = {1e-38}> { c = Clip<max = 2.0>(x) y = Mul(c, s) }",
             "Clip, Mul", row({-INFINITY, 0}), row({-3.4028235f, 0})},
        Case{9, "(float[4] x) => (float[2] y) { y = Slice<starts = [1], ends = [3]>(x) }", "Slice", row({1, 2, 3, 4}),
             row({2, 3})},
        Case{9, "(float[2,3] x) => (float[2,1] y) { y = Slice<starts = [-1], ends = [1000], axes = [1]>(x) }", "Slice",
             kX23, table(2, 1, {3, 6})},
        Case{10, "(float[2] x) => (float[5] y) { y = Pad<pads = [1, 2], value = 7.0>(x) }", "Pad", row({1, 2}),
             row({7, 1, 2, 7, 7})},
        Case{10,
             "(float[1] x) => (float[2] y) { p = Pad<pads = [0, 1], value = -0.0>(x) r = Reciprocal(p) "
             "y = Clip<min = -1.0, max = 1.0>(r) }",
             "Pad, Reciprocal, Clip", row({1}), row({1, -1})},
        Case{8, "(float[2] x) => (float[4] y) { y = Pad<mode = \"edge\", pads = [1, 1]>(x) }", "Pad", row({1, 2}),
             row({1, 1, 2, 2})},
        Case{9, "(float[4] x) => (float[2] y) { y, i = TopK<k = 2>(x) }", "TopK", row({1, 9, 3, 4}), row({9, 4})},
        Case{11, "(float[2,3] x) => (float[2,1] y) { y = ReduceSum<axes = [1]>(x) }", "ReduceSum", kX23,
             table(2, 1, {6, 15})},
        Case{11, "(float[2,3] x) => (float[1,1] y) { y = ReduceSum(x) }", "ReduceSum", kX23, table(1, 1, {21})},
        Case{17, "(float[2,3] x) => (float[2] y) { y = ReduceMean<axes = [-1], keepdims = 0>(x) }", "ReduceMean", kX23,
             row({2, 5})},
        Case{13, "(float[2,3] x) => (float[1,3] y) { y = ReduceMax<axes = [0]>(x) }", "ReduceMax", kX23,
             table(1, 3, {4, 5, 6})},
        Case{11, "(float[4] x) => (float[1] y) { y, z = Split<axis = 0, split = [1, 3]>(x) }", "Split",
             row({1, 2, 3, 4}), row({1})},
        Case{13, "(float[4] x) => (float[2] y) { y, z = Split(x) }", "Split", row({1, 2, 3, 4}), row({1, 2})},
        Case{10, "(float[2] x) => (float[2] y) { y = Dropout<ratio = 0.3>(x) }", "Dropout", row({1, 2}), row({1, 2})},
        Case{9, "(float[2] x) => (float[2] y) { a, mask = Dropout(x) y = Mul(a, mask) }", "Dropout, CastLike, Mul",
             row({1, 2}), row({1, 2})}));

constexpr double kE = 2.718281828459045;
constexpr float kLogQuarter = -1.3862944f;
const float kHalf = 0.5f, kQuarter = 0.25f, kLow = static_cast<float>(1 / (1 + kE)),
            kHigh = static_cast<float>(kE / (1 + kE));

INSTANTIATE_TEST_SUITE_P(
    Meanings, Upgrade,
    testing::Values(
        Case{12, "(float[1,2] x) => (float[1,2] y) { y = Softmax(x) }", "Softmax", table(1, 2, {0, 1}),
             table(1, 2, {kLow, kHigh})},
        Case{12, "(float[1,2,2] x) => (float[1,2,2] y) { y = Softmax<axis = 1>(x) }",
             "Shape, Flatten, Softmax, Reshape", kX122,
             Tensor::of<float>({1, 2, 2}, {kQuarter, kQuarter, kQuarter, kQuarter})},
        Case{13, "(float[1,2,2] x) => (float[1,2,2] y) { y = Softmax<axis = 1>(x) }", "Softmax", kX122,
             Tensor::of<float>({1, 2, 2}, {kHalf, kHalf, kHalf, kHalf})},
        Case{11, "(float[2,3,0] x) => (float[2,3,0] y) { y = Softmax<axis = 1>(x) }",
             "Shape, Flatten, Softmax, Reshape", Tensor(DType::Float32, {2, 3, 0}), Tensor(DType::Float32, {2, 3, 0})},
        Case{7, "(float[2,2] x) => (float[2,2] y) { y = LogSoftmax<axis = 0>(x) }",
             "Shape, Flatten, LogSoftmax, Reshape", table(2, 2, {3, 3, 3, 3}),
             table(2, 2, {kLogQuarter, kLogQuarter, kLogQuarter, kLogQuarter})},
        Case{7,
             "(float[1,1,2,2] x) => (float[1,1,4,2] y) { y = Upsample<mode = \"nearest\", scales = [1.0, 1.0, 2.0, "
             "1.0]>(x) }",
             "Resize", image(2, 2, {1, 2, 3, 4}), image(4, 2, {1, 2, 1, 2, 3, 4, 3, 4})},
        Case{9,
             "(float[1,1,1,2] x) => (float[1,1,1,4] y) <float[4] s = {1, 1, 1, 2}> { y = Upsample<mode = "
             "\"linear\">(x, s) }",
             "Resize", image(1, 2, {1, 3}), image(1, 4, {1, 2, 3, 3})},
        Case{10,
             "(float[1,1,1,4] x) => (float[1,1,1,2] y) <float[4] s = {1, 1, 1, 0.5}> { y = Resize<mode = "
             "\"nearest\">(x, s) }",
             "Resize", image(1, 4, {1, 2, 3, 4}), image(1, 2, {1, 3})},
        Case{10,  // one axis grows, the other shrinks: floor(i / 2) and ceil(i / 0.6)
             "(float[1,1,5,2] x) => (float[1,1,3,4] y) <float[4] s = {1, 1, 0.6, 2}> { y = Resize(x, s) }",
             "Resize, Resize", image(5, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
             image(3, 4, {1, 1, 2, 2, 5, 5, 6, 6, 9, 9, 10, 10})},
        Case{11,
             "(float[1,1,1,2] x) => (float[1,1,1,4] y) <float[0] none = {}, int64[4] z = {1, 1, 1, 4}> { y = "
             "Resize<mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\">(x, "
             "none, none, z) }",
             "Resize", image(1, 2, {1, 2}), image(1, 4, {1, 1, 2, 2})},
        Case{
            11,  // floor((i + 0.5) / 0.75)
            "(float[1,1,1,4] x) => (float[1,1,1,3] y) <float[0] none = {}, float[4] s = {1, 1, 1, 0.75}> { y = "
            "Resize<coordinate_transformation_mode = \"tf_half_pixel_for_nn\", nearest_mode = \"floor\">(x, none, s) }",
            "Resize", image(1, 4, {1, 2, 3, 4}), image(1, 3, {1, 3, 4})},
        Case{12,  // half down
             "(float[1,1,1,4] x) => (float[1,1,1,3] y) <float[0] none = {}, float[4] s = {1, 1, 1, 0.75}> { y = "
             "Resize<coordinate_transformation_mode = \"tf_half_pixel_for_nn\">(x, none, s) }",
             "Resize", image(1, 4, {1, 2, 3, 4}), image(1, 3, {2, 3, 4})},
        Case{8,
             "(float[1,2,1] x) => (float[1,2,1] y) <float[2] s = {2, 3}, float[2] b = {1, 0}, float[2] m = {0, 1}, "
             "float[2] v = {1, 1}> { y = BatchNormalization<epsilon = 0.0, spatial = 1>(x, s, b, m, v) }",
             "BatchNormalization", Tensor::of<float>({1, 2, 1}, {5, 5}), Tensor::of<float>({1, 2, 1}, {11, 12})},
        Case{18,
             "(float[1,4,1] x) => (float[1,4,1] y) <float[2] s = {1, 10}, float[2] b = {0, 5}> { y = "
             "GroupNormalization<num_groups = 2, epsilon = 0.0>(x, s, b) }",
             "Reshape, Expand, Reshape, Reshape, Expand, Reshape, GroupNormalization",
             Tensor::of<float>({1, 4, 1}, {1, 3, 1, 3}), Tensor::of<float>({1, 4, 1}, {-1, 1, -5, 15})},
        Case{10, "(float[3] x) => (float[3] y) <int64[1] i = {1}, float[1] u = {9}> { y = Scatter<axis = 0>(x, i, u) }",
             "ScatterElements", row({1, 2, 3}), row({1, 9, 3})}));

INSTANTIATE_TEST_SUITE_P(
    BeforeOpset7, Upgrade,
    testing::Values(
        Case{6,
             "(float[1,2,2] x) => (float[1,2,2] y) <float[2] b = {10, 20}> { y = Add<broadcast = 1, axis = 1>(x, b) }",
             "Unsqueeze, Add", Tensor::of<float>({1, 2, 2}, {1, 2, 3, 4}),
             Tensor::of<float>({1, 2, 2}, {11, 12, 23, 24})},
        Case{6, "(float[2,2] x) => (float[2,2] y) <float[2] b = {10, 20}> { y = Sub<broadcast = 1>(x, b) }", "Sub",
             table(2, 2, {11, 22, 13, 24}), table(2, 2, {1, 2, 3, 4})},
        Case{1,
             "(float[2,1] x) => (float[2,1] y) <float[2] b = {2, 4}> { y = Div<broadcast = 1, axis = 0, "
             "consumed_inputs = "
             "[0, 0]>(x, b) }",
             "Unsqueeze, Div", table(2, 1, {4, 4}), table(2, 1, {2, 1})},
        Case{6,
             "(float[2,2] x) => (float[2,1] y) <float[2,1] w = {1, 1}, float[1] c = {5}> { y = Gemm<broadcast = 1>(x, "
             "w, c) }",
             "Gemm", table(2, 2, {1, 2, 3, 4}), table(2, 1, {8, 12})},
        Case{6, "(float[1,2,1,2] x) => (float[1,2,1,2] y) <float[2] s = {2, 3}> { y = PRelu(x, s) }",
             "Unsqueeze, PRelu", Tensor::of<float>({1, 2, 1, 2}, {-1, 1, -1, 1}),
             Tensor::of<float>({1, 2, 1, 2}, {-2, 1, -3, 1})},
        Case{6, "(float[1,2,1,2] x) => (float[1,2,1,2] y) <float[1] s = {2}> { y = PRelu(x, s) }", "PRelu",
             Tensor::of<float>({1, 2, 1, 2}, {-1, 1, -1, 1}), Tensor::of<float>({1, 2, 1, 2}, {-2, 1, -2, 1})},
        Case{6,
             "(float[1,2,1] x) => (float[1,2,1] y) <float[2] s = {2, 3}, float[2] b = {1, 0}, float[2] m = {0, 1}, "
             "float[2] v = {1, 1}> { y = BatchNormalization<epsilon = 0.0, is_test = 1>(x, s, b, m, v) }",
             "BatchNormalization", Tensor::of<float>({1, 2, 1}, {5, 5}), Tensor::of<float>({1, 2, 1}, {11, 12})},
        Case{6, "(float[2] x) => (float[2] y) { y = Dropout<is_test = 1>(x) }", "Dropout", row({1, 2}), row({1, 2})},
        Case{5, "(float[2] x) => (float[2] y) { y = Relu<consumed_inputs = [0]>(x) }", "Relu", row({-1, 2}),
             row({0, 2})},
        Case{5, "(float[2] x) => (double[2] y) { y = Cast<to = \"DOUBLE\">(x) }", "Cast", row({1, 2}),
             Tensor::vector<double>({1, 2})},
        Case{3, "(float[1,2] x) => (float[1,4] y) { y = Concat(x, x) }", "Concat", table(1, 2, {1, 2}),
             table(1, 4, {1, 2, 1, 2})},
        Case{4, "(float[2,1] x) => (float[1,2] y) { y = Reshape<shape = [1, -1]>(x) }", "Reshape", table(2, 1, {1, 2}),
             table(1, 2, {1, 2})},
        Case{1, "(float[2] x) => (float[4] y) { y = Pad<paddings = [1, 1], value = 3.0>(x) }", "Pad", row({1, 2}),
             row({3, 1, 2, 3})},
        Case{1, "(float[3] x) => (float[2] y) <float[2] s = {1, 2}> { z, y = Split<axis = 0>(x, s) }", "Split",
             row({1, 2, 3}), row({2, 3})},
        Case{5, "(float[1,2] x) => (float[1,4] y) <float[1] n = {2}, float[1] a = {1}> { y = Tile(x, n, a) }", "Tile",
             table(1, 2, {1, 2}), table(1, 4, {1, 2, 1, 2})},
        Case{6, "(float[1,1,1,2] x) => (float[1,1,2,2] y) { y = Upsample<height_scale = 2.0, width_scale = 1.0>(x) }",
             "Resize", image(1, 2, {1, 2}), image(2, 2, {1, 2, 1, 2})},
        Case{1,
             "(float[1,1,1,2] x) => (float[1,1,1,4] y) { y = Upsample<height_scale = 1.0, width_scale = 2.0, mode = "
             "\"bilinear\">(x) }",
             "Resize", image(1, 2, {1, 2}), image(1, 4, {1, 1.5f, 2, 2})},
        Case{5, "(float[2] x) => (float[2] y) { y = Selu(x) }", "Selu", row({2, -50}), row({2.1014f, -1.7580313f})},
        Case{1, "(float[1,1,2] x) => (float[1,1,1] y) { y = GlobalLpPool<p = 1.0>(x) }", "Abs, ReduceSum, Identity",
             Tensor::of<float>({1, 1, 2}, {1, -2}), Tensor::of<float>({1, 1, 1}, {3})}));

TEST(Upgrade, RecurrentLayersSayByTheirOutputsWhatTheyGive) {
  EXPECT_EQ(
      errors_of("(float[2,1,3] x) => (float[1,1,4] y) <float[1,4,3] w = {0,0,0,0,0,0,0,0,0,0,0,0}, float[1,4,4] r = "
                "{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}> { z, y = RNN<hidden_size = 4, output_sequence = 0>(x, w, r) }",
                6),
      "");
}

TEST(Upgrade, ConvTransposeThatKeepsTheSizePadsByNumbers) {
  const auto padded = [](const std::string& attributes) {
    const auto graph =
        graph_of("(float[1,1,N] x) => (float[1,1,M] y) <float[1,1,3] w = {1, 2, 4}> { y = ConvTranspose<" + attributes +
                 ">(x, w) }");
    const Node& node = **graph->nodes().begin();
    const auto a = node.attrs<ops::ConvTransposeAttrs>();
    const auto y = evaluate(*graph, {{"x", Tensor::of<float>({1, 1, 2}, {1, 10})}});
    EXPECT_TRUE(y.ok()) << to_string(y.diagnostics());
    return a.auto_pad + to_string(a.pads) + " " + to_string(y->front());
  };
  const std::string padding = ", strides = [2], output_padding = [1]";
  EXPECT_EQ(padded("auto_pad = \"SAME_UPPER\"" + padding), "NOTSET[1,1] float[1,1,4] {2, 14, 20, 40}");
  EXPECT_EQ(padded("auto_pad = \"SAME_UPPER\", strides = [2]"), "NOTSET[0,1] float[1,1,4] {1, 2, 14, 20}");
  EXPECT_EQ(padded("auto_pad = \"SAME_LOWER\", strides = [2]"), "NOTSET[1,0] float[1,1,4] {2, 14, 20, 40}");
  EXPECT_EQ(padded("auto_pad = \"SAME_UPPER\", strides = [4]"),
            "SAME_UPPER[] float[1,1,8] {1, 2, 4, 0, 10, 20, 40, 0}");
  EXPECT_THAT(errors_of("(float[1,1,3] x) => (float[1,1,3] y) <float[1,1,3] w = {1, 2, 4}> "
                        "{ y = ConvTranspose<auto_pad = \"SAME\">(x, w) }"),
              HasSubstr("auto_pad is 'SAME'"));
}

TEST(UpgradeRefuses, WhatOldOpsetsLeaveOpen) {
  EXPECT_THAT(
      errors_of("(float[1,2,1] x) => (float[1,2,1] y) <float[2] s = {2, 3}> { y = BatchNormalization(x, s, s, s, s) }",
                6),
      HasSubstr("is in training mode (is_test = 0): its statistics are those of the batch"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Dropout(x) }", 6),
              HasSubstr("which elements it drops is random"));
  EXPECT_THAT(errors_of("(float[] x, float[2] b) => (float[] y) { y = Add<broadcast = 1, axis = 0>(x, b) }", 6),
              HasSubstr("the ranks of its operands must be known to align them at axis 0"));
  EXPECT_THAT(errors_of("(float[2] x, float[2,2] b) => (float[2] y) { y = Add<broadcast = 1, axis = 0>(x, b) }", 6),
              HasSubstr("its second operand has more axes than the first one from axis on"));
  EXPECT_THAT(errors_of("(float[1,1,2] x) => (float[1,1,1] y) { y = GlobalLpPool<p = 1.5>(x) }", 1),
              HasSubstr("its p is no integer"));
  EXPECT_THAT(errors_of("(float[1,2] x, float[1] n) => (float[1,K] y) <float[1] a = {1}> { y = Tile(x, n, a) }", 5),
              HasSubstr("'tiles' must be constant"));
  EXPECT_THAT(errors_of("(float[2] x) => (double[2] y) { y = Cast<to = \"REAL\">(x) }", 5),
              HasSubstr("'REAL' is no type"));
}

TEST(UpgradeRefuses, WhatHasNoNewForm) {
  EXPECT_THAT(
      errors_of("(float[1,1,1,4] x) => (float[1,1,1,8] y) <float[0] none = {}, float[4] s = {1, 1, 1, 2}> { y = "
                "Resize<mode = \"linear\", coordinate_transformation_mode = \"tf_half_pixel_for_nn\">(x, none, s) }",
                11),
      HasSubstr("tf_half_pixel_for_nn with mode 'linear'"));
  EXPECT_THAT(errors_of("(float[1,2,1] x) => (float[1,2,1] y) <float[2] s = {2, 3}> { y = BatchNormalization<spatial = "
                        "0>(x, s, s, s, s) }",
                        8),
              HasSubstr("spatial = 0"));
  EXPECT_THAT(errors_of("(float[1,2,1] x) => (float[1,2,1] y) <float[2] s = {2, 3}> { y, a, b, c, d = "
                        "BatchNormalization(x, s, s, s, s) }",
                        9),
              HasSubstr("training mode"));
  EXPECT_THAT(
      errors_of("(float[3] x) => (float[3] y) <int64[1] i = {1}, float[1] u = {9}> { y = Scatter(x, i, u) }", 11),
      HasSubstr("deprecated"));
}

TEST(UpgradeInSubgraphs, WorksLikeOutside) {
  const auto graph = graph_of(
      "(bool c, float[1,2] x) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] p) { p = Squeeze<axes = "
      "[0]>(x) }, else_branch = e () => (float[2] q) { q = ReduceSum<axes = [0], keepdims = 0>(x) }> }",
      11);
  ASSERT_TRUE(graph);
  EXPECT_TRUE(verify(*graph).empty()) << to_string(verify(*graph));
  const auto results = evaluate(*graph, {{"c", Tensor::scalar(true)}, {"x", table(1, 2, {3, 4})}});
  ASSERT_TRUE(results.ok()) << to_string(results.diagnostics());
  EXPECT_EQ((*results)[0], row({3, 4}));
}

}  // namespace
}  // namespace lapis
