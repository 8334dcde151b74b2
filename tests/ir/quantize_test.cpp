#include <cmath>
#include <limits>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

TEST(QuantizeLinear, RoundsTiesToEvenBeforeAddingTheZeroPoint) {
  const Tensor x = Tensor::vector<float>({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f});
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {x, Tensor::scalar(1.0f), Tensor::scalar<uint8_t>(3)})),
            (Bytes{3, 5, 5, 3, 1, 1}));
}

TEST(QuantizeLinear, SaturatesInfinitiesAndSendsNanToTheLowest) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::vector<float>({inf, -inf, 3e38f, -3e38f, NAN, 127.4f, 127.6f});
  EXPECT_EQ(values<int8_t>(run1(ops::QuantizeLinear, {x, Tensor::scalar(1.0f), Tensor::scalar<int8_t>(0)})),
            (std::vector<int8_t>{127, -128, 127, -128, -128, 127, 127}));
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {x, Tensor::scalar(1e-30f)})),
            (Bytes{255, 0, 255, 0, 0, 255, 255}));
}

TEST(QuantizeLinear, DividesInFloat32) {
  // 0.35 / 0.1 is 3.4999998 in float32 and 3.5000000 after the inputs' rounding in double: float decides.
  const float x = 0.35f, scale = 0.1f;
  const auto expected = static_cast<uint8_t>(std::nearbyint(x / scale));
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {Tensor::vector<float>({x}), Tensor::scalar(scale)})),
            Bytes{expected});
}

TEST(QuantizeLinear, DividesInTheTypeOfItsScaleOrAsTold) {
  const Floats numbers = {0.25f, 0.35f, 0.45f, 0.55f, 2.5f, 7.5f, 12.25f};
  const Attributes half = {{"to", int64_t{10}}};
  const Tensor x = run1(ops::Cast, {Tensor::vector(numbers)}, half),
               scale = run1(ops::Cast, {Tensor::scalar(0.1f)}, half);
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {x, scale})), (Bytes{2, 4, 4, 6, 25, 75, 122}));
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {x, scale}, {{"precision", int64_t{1}}})),
            (Bytes{3, 4, 5, 5, 25, 75, 123}));
  const Tensor f = Tensor::vector<float>({12.25f}), s = Tensor::scalar(0.1f);
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {f, s}, {{"precision", int64_t{10}}})), Bytes{122});
}

TEST(QuantizeLinear, TakesOneScalePerSliceOrBlock) {
  const Tensor x = filled({2, 4}, 8);
  EXPECT_EQ(
      values<uint8_t>(run1(ops::QuantizeLinear, {x, Tensor::vector<float>({1, 2}), Tensor::vector<uint8_t>({0, 1})},
                           {{"axis", int64_t{0}}})),
      (Bytes{8, 8, 8, 8, 5, 5, 5, 5}));
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {x, Tensor::of<float>({2, 2}, {1, 2, 4, 8})},
                                 {{"axis", int64_t{-1}}, {"block_size", int64_t{2}}})),
            (Bytes{8, 8, 4, 4, 2, 2, 1, 1}));
}

// A number may be written as a scalar or as a vector of one, the scale in one way and the zero point in the other.
TEST(QuantizeLinear, TakesNumbersAsVectorsOfOne) {
  const Tensor x = Tensor::vector<float>({1, 2, 3});
  const Tensor scales[] = {Tensor::scalar(0.5f), Tensor::vector<float>({0.5f})};
  const Tensor zeros[] = {Tensor::scalar<uint8_t>(1), Tensor::vector<uint8_t>({1})};
  for (const Tensor& scale : scales)
    for (const Tensor& zero : zeros) {
      const Tensor q = run1(ops::QuantizeLinear, {x, scale, zero});
      EXPECT_EQ(values<uint8_t>(q), (Bytes{3, 5, 7}));
      EXPECT_EQ(values<float>(run1(ops::DequantizeLinear, {q, scale, zero})), (Floats{1, 2, 3}));
      EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {Tensor::scalar(2.0f), scale, zero})), Bytes{5});
    }
  EXPECT_EQ(inferred(ops::DequantizeLinear,
                     {Type::tensor(DType::UInt8, Dims{3}), floats({3}), Type::tensor(DType::UInt8, Dims{1})},
                     {{"axis", int64_t{0}}}),
            "scale float[3] and zero point uint8[1] need the same shape");
  EXPECT_EQ(inferred(ops::DequantizeLinear, {Type::tensor(DType::UInt8, Dims{2, 4}), floats({1, 2})},
                     {{"block_size", int64_t{2}}}),
            "scale float[1,2] of blocks must have the shape of uint8[2,4] but for axis 1");
}

TEST(QuantizeLinear, PacksFourBits) {
  const Tensor x = Tensor::vector<float>({-9, -1, 7.6f});
  const Tensor y =
      run1(ops::QuantizeLinear, {x, Tensor::scalar(1.0f)}, {{"output_dtype", static_cast<int64_t>(DType::Int4)}});
  EXPECT_EQ(y.dtype(), DType::Int4);
  EXPECT_EQ(y.as_ints(), (Ints{-8, -1, 7}));
}

TEST(QuantizeLinear, RoundsOnceIntoFloatStorage) {
  const Tensor x = Tensor::vector<float>({1, 2.5f, -900, NAN});
  const Tensor y = run1(ops::QuantizeLinear, {x, Tensor::scalar(2.0f)},
                        {{"output_dtype", static_cast<int64_t>(DType::Float8E4M3FN)}});
  EXPECT_EQ(to_string(y), "float8e4m3fn[4] {0.5, 1.25, -448, nan}");
  EXPECT_EQ(values<float>(run1(ops::DequantizeLinear, {y.reshaped({4}), Tensor::scalar(2.0f)}))[2], -896);
}

// ONNX's own cases pair a scalar scale with a zero point of one element.
TEST(QuantizeLinear, TakesOneZeroPointAsScalarOrVector) {
  EXPECT_EQ(inferred(ops::QuantizeLinear, {floats({N(), 3}), floats({}), Type::tensor(DType::UInt8, Dims{1})}),
            "uint8[N,3]");
}

TEST(QuantizeLinear, RefusesWhatItCannotDo) {
  const Type x = floats({N(), 3});
  EXPECT_EQ(inferred(ops::QuantizeLinear, {x, floats({})}, {{"output_dtype", static_cast<int64_t>(DType::Float8E8M0)}}),
            "quantizing to float8e8m0 is not supported");
  EXPECT_EQ(inferred(ops::QuantizeLinear, {x, floats({4})}), "scale has 4 values but axis 1 of float[N,3] has 3");
  EXPECT_EQ(inferred(ops::QuantizeLinear, {x, floats({3}), Type::tensor(DType::UInt8, Dims{2})}),
            "scale float[3] and zero point uint8[2] need the same shape");
  EXPECT_EQ(inferred(ops::QuantizeLinear, {x, floats({})}), "uint8[N,3]");
}

TEST(DequantizeLinear, SubtractsThenMultipliesOnce) {
  const Tensor x = Tensor::of<uint8_t>({2, 2}, {0, 255, 10, 20});
  EXPECT_EQ(values<float>(run1(ops::DequantizeLinear,
                               {x, Tensor::vector<float>({0.5f, 0.1f}), Tensor::vector<uint8_t>({128, 0})})),
            (Floats{-64, 255 * 0.1f, -59, 20 * 0.1f}));
  EXPECT_EQ(values<float>(run1(ops::DequantizeLinear, {Tensor::vector<int32_t>({-3, 7}), Tensor::scalar(0.25f)})),
            (Floats{-0.75f, 1.75f}));
}

TEST(DequantizeLinear, ReadsBlocksAlongTheFirstAxis) {
  const Tensor x = Tensor::of<int8_t>({4, 2}, {1, 1, 1, 1, 1, 1, 1, 1});
  const Tensor y = run1(ops::DequantizeLinear, {x, Tensor::of<float>({2, 2}, {1, 2, 3, 4})},
                        {{"axis", int64_t{0}}, {"block_size", int64_t{2}}});
  EXPECT_EQ(values<float>(y), (Floats{1, 2, 1, 2, 3, 4, 3, 4}));
}

TEST(DynamicQuantizeLinear, TakesARangeThatHoldsZero) {
  auto y = run(ops::DynamicQuantizeLinear, {Tensor::vector<float>({-51, 0, 204})}, {}, 3);
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(values<uint8_t>((*y)[0]), (Bytes{0, 51, 255}));
  EXPECT_EQ(values<float>((*y)[1]), Floats{1});
  EXPECT_EQ(values<uint8_t>((*y)[2]), Bytes{51});
  auto positive = run(ops::DynamicQuantizeLinear, {Tensor::vector<float>({255, 510})}, {}, 3);
  EXPECT_EQ(values<uint8_t>((*positive)[0]), (Bytes{128, 255}));  // 127.5 is a tie
}

TEST(QuantizeLinear, ChecksTheShapeOfBlocks) {
  const Attributes blocks = {{"axis", int64_t{1}}, {"block_size", int64_t{4}}},
                   huge = {{"axis", int64_t{1}}, {"block_size", INT64_MAX}};
  EXPECT_EQ(inferred(ops::QuantizeLinear, {floats({4, 8}), floats({1, 2})}, blocks),
            "scale float[1,2] of blocks must have the shape of float[4,8] but for axis 1");
  EXPECT_EQ(inferred(ops::QuantizeLinear, {floats({4, 8}), floats({4, 3})}, huge),
            "axis 1 needs 1 blocks of 9223372036854775807, scale has 3");
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {filled({2, 2}, 3), filled({2, 1}, 1)}, huge)),
            (Bytes{3, 3, 3, 3}));
}

}  // namespace
}  // namespace lapis::testing
