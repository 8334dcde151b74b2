#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

TEST(MatMul, MultipliesMatricesAndVectors) {
  const Tensor m = ramp({2, 3}), v = Tensor::vector<float>({1, 10, 100});
  EXPECT_EQ(values<float>(run1(ops::MatMul, {m, v})), (Floats{321, 654}));
  EXPECT_EQ(values<float>(run1(ops::MatMul, {Tensor::vector<float>({1, 10}), m})), (Floats{41, 52, 63}));
  const Tensor dot = run1(ops::MatMul, {v, v});
  EXPECT_EQ(dot.shape(), Shape{});
  EXPECT_EQ(values<float>(dot), Floats{10101});
}

TEST(MatMul, BroadcastsLeadingAxes) {
  const Tensor a = ramp({2, 1, 1, 2}), b = Tensor::of<float>({3, 2, 1}, {1, 0, 0, 1, 1, 1});
  const Tensor y = run1(ops::MatMul, {a, b});
  EXPECT_EQ(y.shape(), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(values<float>(y), (Floats{1, 2, 3, 3, 4, 7}));
}

TEST(MatMul, WrapsIntegers) {
  const Tensor y = run1(ops::MatMul, {Tensor::of<int32_t>({1, 2}, {1 << 30, 1}), Tensor::of<int32_t>({2, 1}, {4, -7})});
  EXPECT_EQ(values<int32_t>(y), (std::vector<int32_t>{-7}));
}

TEST(MatMul, InfersSymbolicBatches) {
  const Dim s = Dim::symbol("S");
  EXPECT_EQ(inferred(ops::MatMul, {floats({N(), 12, s, 64}), floats({N(), 12, 64, s})}), "float[N,12,S,S]");
  EXPECT_EQ(inferred(ops::MatMul, {floats({N(), s, 64}), floats({64, 10})}), "float[N,S,10]");
  EXPECT_EQ(inferred(ops::MatMul, {floats({2, 3}), floats({4, 5})}),
            "the inner dimensions differ: float[2,3] times float[4,5]");
}

TEST(MatMulInteger, SubtractsRowAndColumnZeroPoints) {
  const Tensor a = Tensor::of<uint8_t>({2, 2}, {11, 12, 3, 4}), b = Tensor::of<int8_t>({2, 2}, {1, 6, 1, 5});
  const Tensor y = run1(ops::MatMulInteger, {a, b, Tensor::vector<uint8_t>({10, 2}), Tensor::vector<int8_t>({0, 5})});
  EXPECT_EQ(values<int32_t>(y), (std::vector<int32_t>{3, 1, 3, 1}));
}

TEST(QLinearMatMul, RequantizesPerColumn) {
  const Tensor a = Tensor::of<uint8_t>({1, 2}, {3, 1}), b = Tensor::of<int8_t>({2, 2}, {5, 5, 0, 0});
  const Tensor y = run1(ops::QLinearMatMul,
                        {a, Tensor::scalar(1.0f), Tensor::scalar<uint8_t>(0), b, Tensor::vector<float>({0.5f, 0.1f}),
                         Tensor::vector<int8_t>({0, 0}), Tensor::scalar(1.0f), Tensor::scalar<int8_t>(-1)});
  EXPECT_EQ(values<int8_t>(y), (std::vector<int8_t>{7, 1}));  // 7.5 -> 8 and 1.5 -> 2, both ties to even, minus 1
}

TEST(Gemm, TransposesScalesAndBroadcastsC) {
  const Tensor a = ramp({3, 2}), b = ramp({2, 3});  // A' is 2x3, B' is 3x2
  const Tensor y = run1(ops::Gemm, {a, b, Tensor::of<float>({2, 1}, {1, 2})},
                        {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 0.5f}, {"beta", 10.0f}});
  // A'B' = [[1*1+3*2+5*3, 1*4+3*5+5*6], [2*1+4*2+6*3, 2*4+4*5+6*6]] = [[22, 49], [28, 64]]
  EXPECT_EQ(values<float>(y), (Floats{21, 34.5f, 34, 52}));
}

TEST(Gemm, ChecksItsOperands) {
  EXPECT_EQ(inferred(ops::Gemm, {floats({N(), 512}), floats({1000, 512}), floats({1000})}, {{"transB", int64_t{1}}}),
            "float[N,1000]");
  EXPECT_EQ(inferred(ops::Gemm, {floats({2, 3}), floats({2, 3})}), "the inner dimensions differ: A has 3, B has 2");
  EXPECT_EQ(inferred(ops::Gemm, {floats({1, 3}), floats({3, 2}), floats({5, 2})}),
            "C float[5,2] does not broadcast to the product float[1,2]");
}

TEST(MatMulInteger, ChecksItsZeroPoints) {
  const Tensor a = Tensor::of<uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6}), b = Tensor::of<uint8_t>({3, 2}, {1, 2, 3, 4, 5, 6});
  const std::string rows = "input 'a_zero_point' is uint8[3], one value or one for each row of uint8[2,3] is needed";
  EXPECT_EQ(inferred(ops::MatMulInteger, {a, b, Tensor::vector<uint8_t>({1, 2, 3})}), rows);
  EXPECT_EQ(inferred(ops::MatMulInteger, {a, b, Tensor::vector<uint8_t>({1, 2}), Tensor::vector<uint8_t>({1, 2, 3})}),
            "input 'b_zero_point' is uint8[3], one value or one for each column of uint8[3,2] is needed");
  EXPECT_EQ(
      inferred(ops::MatMulInteger, {a, b, Tensor::of<uint8_t>({2, 1}, {1, 2}), Tensor::of<uint8_t>({1, 2}, {1, 2})}),
      "int32[2,2]");
}

}  // namespace
}  // namespace lapis::testing
