#include <cmath>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

TEST(Conv, SumsTheWindowAndAddsTheBias) {
  const Tensor y = run1(ops::Conv, {ramp({1, 1, 3, 3}), filled({1, 1, 2, 2}, 1), Tensor::vector<float>({10})});
  EXPECT_EQ(y.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(values<float>(y), (Floats{22, 26, 34, 38}));
}

TEST(Conv, PadsAsymmetrically) {
  // One row above, two columns to the right: the window sees zeros there.
  const Tensor y = run1(ops::Conv, {ramp({1, 1, 2, 2}), filled({1, 1, 2, 2}, 1)}, {{"pads", Ints{1, 0, 0, 2}}});
  EXPECT_EQ(y.shape(), (Shape{1, 1, 2, 3}));
  EXPECT_EQ(values<float>(y), (Floats{3, 2, 0, 10, 6, 0}));
}

TEST(Conv, SpreadsTheTapsOfADilatedKernel) {
  const Tensor y =
      run1(ops::Conv, {ramp({1, 1, 1, 5}), Tensor::of<float>({1, 1, 1, 2}, {1, 100})}, {{"dilations", Ints{1, 3}}});
  EXPECT_EQ(values<float>(y), (Floats{401, 502}));
}

TEST(Conv, KeepsGroupsApart) {
  // Two channels, two groups: channel 0 times 10, channel 1 times 100.
  const Tensor y =
      run1(ops::Conv, {ramp({1, 2, 1, 2}), Tensor::of<float>({2, 1, 1, 1}, {10, 100})}, {{"group", int64_t{2}}});
  EXPECT_EQ(values<float>(y), (Floats{10, 20, 300, 400}));
}

TEST(Conv, StridesOverABatchInOneDimension) {
  const Tensor y = run1(ops::Conv, {ramp({2, 1, 5}), Tensor::of<float>({1, 1, 2}, {1, -1})}, {{"strides", Ints{2}}});
  EXPECT_EQ(y.shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(values<float>(y), (Floats{-1, -1, -1, -1}));
}

TEST(Conv, RefusesPadsThatAreNegativeOrBeyondAnyInput) {
  const Type x = floats({1, 1, 8, 8}), w = floats({1, 1, 3, 3});
  EXPECT_EQ(inferred(ops::Conv, {x, w}, {{"pads", Ints{-1, 1, 2, -2}}}), "pads [-1,1,2,-2] holds a value below 0");
  EXPECT_EQ(inferred(ops::MaxPool, {x}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{0, 0, -1, 0}}}),
            "pads [0,0,-1,0] holds a value below 0");
  EXPECT_EQ(inferred(ops::Conv, {x, w}, {{"dilations", Ints{int64_t{1} << 40, 1}}}),
            "dilations [1099511627776,1] holds a value above 2147483647");
}

TEST(Conv, EmptyListsAreTheDefaults) {
  const Type x = floats({1, 1, 8, 8}), w = floats({1, 1, 3, 3});
  EXPECT_EQ(inferred(ops::Conv, {x, w},
                     {{"pads", Ints{}}, {"strides", Ints{}}, {"dilations", Ints{}}, {"kernel_shape", Ints{}}}),
            "float[1,1,6,6]");
  EXPECT_EQ(inferred(ops::MaxPool, {x}, {{"kernel_shape", Ints{}}}),
            "kernel_shape has 0 values, 2 are needed for 2 spatial axes");
}

TEST(Conv, PutsTheOddPadWhereAutoPadSays) {
  const Tensor x = ramp({1, 1, 3}), w = Tensor::of<float>({1, 1, 2}, {1, 100});
  EXPECT_EQ(values<float>(run1(ops::Conv, {x, w}, {{"auto_pad", std::string("SAME_UPPER")}})), (Floats{201, 302, 3}));
  EXPECT_EQ(values<float>(run1(ops::Conv, {x, w}, {{"auto_pad", std::string("SAME_LOWER")}})), (Floats{100, 201, 302}));
}

TEST(Conv, MatchesADirectSumOnManyTilesAndOddDepths) {
  const int64_t channels = 3, size = 19, outputs = 5;
  Tensor x = ramp({2, channels, size, size}), w = ramp({outputs, channels, 3, 3});
  for (float& v : x.mutable_data<float>()) v = std::fmod(v * 7, 11.0f) - 5;
  for (float& v : w.mutable_data<float>()) v = std::fmod(v * 5, 7.0f) - 3;
  const Tensor y = run1(ops::Conv, {x, w}, {{"pads", Ints{1, 1, 1, 1}}});
  auto at = [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    return i < 0 || j < 0 || i >= size || j >= size
               ? 0.0f
               : x.data<float>()[static_cast<size_t>(((n * channels + c) * size + i) * size + j)];
  };
  size_t index = 0;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < size; ++j) {
          float sum = 0;  // small integers: exact in any order
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t k = 0; k < 9; ++k)
              sum += at(n, c, i + k / 3 - 1, j + k % 3 - 1) *
                     w.data<float>()[static_cast<size_t>((o * channels + c) * 9 + k)];
          ASSERT_EQ(y.data<float>()[index++], sum) << n << " " << o << " " << i << " " << j;
        }
}

TEST(Conv, InfersSymbolicSizes) {
  const Dim h = Dim::symbol("H");
  const Type w = floats({64, 3, 7, 7});
  const Attributes attributes{{"strides", Ints{2, 2}}, {"pads", Ints{3, 3, 3, 3}}};
  EXPECT_EQ(inferred(ops::Conv, {floats({N(), 3, 224, h}), w}, attributes),
            "float[N,64,112," + floor_div(h + Dim(1), 2).to_string() + "]");
  EXPECT_EQ(inferred(ops::Conv, {floats({N(), 3, h, h}), floats({8, 3, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}}),
            "float[N,8,H,H]");
  EXPECT_EQ(
      inferred(ops::Conv, {floats({N(), 3, h, h}), floats({8, 3, 3, 3})}, {{"auto_pad", std::string("SAME_UPPER")}}),
      "float[N,8,H,H]");
}

TEST(Conv, SaysWhatDoesNotFit) {
  EXPECT_EQ(inferred(ops::Conv, {floats({1, 64, 56, 56}), floats({256, 128, 3, 3})}),
            "weight wants 128 input channels but x has 64");
  EXPECT_EQ(inferred(ops::Conv, {floats({1, 4, 8, 8}), floats({6, 1, 3, 3})}, {{"group", int64_t{4}}}),
            "6 output channels cannot be split into 4 groups");
  EXPECT_EQ(inferred(ops::Conv, {floats({1, 1, 2, 2}), floats({1, 1, 3, 3})}),
            "the kernel [3,3] does not fit into the padded x float[1,1,2,2]");
  EXPECT_EQ(inferred(ops::Conv, {floats({1, 1, 8, 8}), floats({1, 1, 3, 3})}, {{"strides", Ints{0, 1}}}),
            "strides [0,1] holds a value below 1");
  EXPECT_EQ(inferred(ops::Conv, {floats({1, 1, 8, 8}), floats({1, 1, 3, 3})}, {{"pads", Ints{1, 1}}}),
            "pads has 2 values, 4 are needed for 2 spatial axes");
}

TEST(Conv, AnAxisWithoutElementsHasAsManyPositionsAsTheStandardCounts) {
  const Type x = floats({1, 2, 0, 5}), w = floats({3, 2, 3, 3});
  const Ints two{2, 2};
  for (const std::string same : {"SAME_UPPER", "SAME_LOWER"})
    EXPECT_EQ(inferred(ops::Conv, {x, w}, {{"auto_pad", same}, {"strides", two}}), "float[1,3,0,3]");
  EXPECT_EQ(inferred(ops::Conv, {x, w}, {{"pads", Ints{1, 1, 1, 1}}}), "float[1,3,0,5]");
  EXPECT_EQ(inferred(ops::Conv, {x, floats({3, 2, 1, 1})}), "float[1,3,0,5]");
  EXPECT_EQ(inferred(ops::Conv, {x, w}), "the kernel [3,3] does not fit into the padded x float[1,2,0,5]");
  EXPECT_EQ(inferred(ops::Conv, {floats({1, 2, 2, 5}), w}),
            "the kernel [3,3] does not fit into the padded x float[1,2,2,5]");

  const Tensor none = run1(ops::Conv, {ramp({1, 2, 0, 5}), ramp({3, 2, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
  EXPECT_EQ(none.shape(), (Shape{1, 3, 0, 5}));
  const Tensor bias =
      run1(ops::Conv, {ramp({1, 1, 0}), ramp({2, 1, 3}), Tensor::vector<float>({7, 8})}, {{"pads", Ints{2, 2}}});
  EXPECT_EQ(values<float>(bias), (Floats{7, 7, 8, 8})) << "windows over padding alone";
}

TEST(ConvTranspose, AnAxisWithoutElementsIsAsLongAsTheStandardSays) {
  const Type x = floats({1, 2, 0, 5}), w = floats({2, 3, 3, 3});
  const Ints two{2, 2};
  EXPECT_EQ(inferred(ops::ConvTranspose, {x, w}, {{"auto_pad", std::string("SAME_UPPER")}, {"strides", two}}),
            "float[1,3,0,10]");
  EXPECT_EQ(inferred(ops::ConvTranspose, {x, w}, {{"strides", two}}), "float[1,3,1,11]") << "the bias alone";
}

TEST(ConvInteger, SubtractsZeroPointsAndPadsWithTheZeroPoint) {
  const Tensor x = Tensor::of<uint8_t>({1, 1, 1, 3}, {130, 128, 126}),
               w = Tensor::of<int8_t>({2, 1, 1, 3}, {1, 1, 1, 10, 10, 10});
  const Tensor y = run1(ops::ConvInteger, {x, w, Tensor::scalar<uint8_t>(128), Tensor::vector<int8_t>({0, 9})},
                        {{"pads", Ints{0, 1, 0, 1}}});
  EXPECT_EQ(values<int32_t>(y), (std::vector<int32_t>{2, 0, -2, 2, 0, -2}));
}

TEST(QLinearConv, RequantizesWithOneFloatMultiply) {
  // accumulators: 3 * (x - 10) + bias = {-30+1, 3*5+1, 3*245+1} = {-29, 16, 736}; multiplier 0.5 * 0.25 / 0.125 = 1
  // and 0.5
  const Tensor x = Tensor::of<uint8_t>({1, 1, 1, 3}, {0, 15, 255}), w = Tensor::of<int8_t>({2, 1, 1, 1}, {3, 3});
  const Tensor y =
      run1(ops::QLinearConv, {x, Tensor::scalar(0.5f), Tensor::scalar<uint8_t>(10), w,
                              Tensor::vector<float>({0.25f, 0.125f}), Tensor::vector<int8_t>({0, 0}),
                              Tensor::scalar(0.125f), Tensor::scalar<uint8_t>(20), Tensor::vector<int32_t>({1, 1})});
  // channel 1 halves: -14.5 rounds to -14 (even), 8, 368
  EXPECT_EQ(values<uint8_t>(y), (Bytes{0, 36, 255, 6, 28, 255}));
}

TEST(QLinearConv, InfersTheTypeOfTheOutputZeroPoint) {
  const Type f = floats({}), u8 = Type::tensor(DType::UInt8, Dims{}),
             x = Type::tensor(DType::UInt8, Dims{N(), 3, 8, 8}), w = Type::tensor(DType::Int8, Dims{4, 3, 3, 3});
  const Type s8 = Type::tensor(DType::Int8, Dims{});
  EXPECT_EQ(inferred(ops::QLinearConv, {x, f, u8, w, floats({4}), Type::tensor(DType::Int8, Dims{4}), f, s8}),
            "int8[N,4,6,6]");
  EXPECT_EQ(inferred(ops::QLinearConv, {x, f, u8, w, floats({3}), Type::tensor(DType::Int8, Dims{4}), f, s8}),
            "input 'w_scale' is float[3], one value for each of 4 output channels is needed");
}

TEST(ConvTranspose, AddsAScaledKernelForEachElement) {
  const Tensor y =
      run1(ops::ConvTranspose, {Tensor::of<float>({1, 1, 1, 3}, {1, 2, 3}), Tensor::of<float>({1, 1, 1, 2}, {1, 10})});
  EXPECT_EQ(values<float>(y), (Floats{1, 12, 23, 30}));
}

TEST(ConvTranspose, HandlesStridesGroupsPadsAndOutputPadding) {
  // Stride 2 leaves gaps; the first column is padded away; output_padding adds one at the end.
  const Tensor x = Tensor::of<float>({1, 2, 1, 2}, {1, 2, 3, 4}),
               w = Tensor::of<float>({2, 1, 1, 2}, {1, 10, 100, 1000});
  const Tensor y = run1(
      ops::ConvTranspose, {x, w, Tensor::vector<float>({0, 5})},
      {{"group", int64_t{2}}, {"strides", Ints{1, 2}}, {"pads", Ints{0, 1, 0, 0}}, {"output_padding", Ints{0, 1}}});
  EXPECT_EQ(y.shape(), (Shape{1, 2, 1, 4}));
  EXPECT_EQ(values<float>(y), (Floats{10, 2, 20, 0, 3005, 405, 4005, 5}));
}

TEST(ConvTranspose, InfersSymbolicSizes) {
  const Dim h = Dim::symbol("H");
  EXPECT_EQ(inferred(ops::ConvTranspose, {floats({N(), 8, h, 7}), floats({8, 4, 2, 2})}, {{"strides", Ints{2, 2}}}),
            "float[N,4,2*H,14]");
  EXPECT_EQ(inferred(ops::ConvTranspose, {floats({1, 8, 3, 3}), floats({8, 4, 3, 3})},
                     {{"strides", Ints{3, 2}}, {"output_shape", Ints{10, 8}}}),
            "float[1,4,10,8]");
}

}  // namespace
}  // namespace lapis::testing
