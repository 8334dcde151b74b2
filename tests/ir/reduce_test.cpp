#include <cmath>
#include <limits>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

const Tensor kAxis1 = Tensor::vector<int64_t>({1});

TEST(Reduce, AppliesEachFunction) {
  const Tensor x = Tensor::of<float>({2, 2}, {3, -4, 1, 2});
  EXPECT_EQ(values<float>(run1(ops::ReduceSum, {x, kAxis1})), (Floats{-1, 3}));
  EXPECT_EQ(values<float>(run1(ops::ReduceMean, {x, kAxis1})), (Floats{-0.5f, 1.5f}));
  EXPECT_EQ(values<float>(run1(ops::ReduceMax, {x, kAxis1})), (Floats{3, 2}));
  EXPECT_EQ(values<float>(run1(ops::ReduceMin, {x, kAxis1})), (Floats{-4, 1}));
  EXPECT_EQ(values<float>(run1(ops::ReduceProd, {x, kAxis1})), (Floats{-12, 2}));
  EXPECT_EQ(values<float>(run1(ops::ReduceL1, {x, kAxis1})), (Floats{7, 3}));
  EXPECT_EQ(values<float>(run1(ops::ReduceL2, {x, kAxis1})), (Floats{5, std::sqrt(5.0f)}));
  EXPECT_EQ(values<float>(run1(ops::ReduceSumSquare, {x, kAxis1})), (Floats{25, 5}));
  EXPECT_EQ(values<float>(run1(ops::ReduceLogSum, {Tensor::of<float>({1, 2}, {1, 3}), kAxis1})),
            Floats{static_cast<float>(std::log(4.0))});
  EXPECT_EQ(values<float>(run1(ops::ReduceLogSumExp, {Tensor::of<float>({1, 2}, {1000, 1000}), kAxis1})),
            Floats{static_cast<float>(1000 + std::log(2.0))});
}

TEST(Reduce, HandlesAxesAndKeepdims) {
  const Tensor x = ramp({2, 3, 2});
  const Tensor outer = run1(ops::ReduceSum, {x, Tensor::vector<int64_t>({0, -1})}, {{"keepdims", int64_t{0}}});
  EXPECT_EQ(outer.shape(), Shape{3});
  EXPECT_EQ(values<float>(outer), (Floats{18, 26, 34}));
  const Tensor all = run1(ops::ReduceSum, {x});
  EXPECT_EQ(all.shape(), (Shape{1, 1, 1}));
  EXPECT_EQ(values<float>(all), Floats{78});
  EXPECT_TRUE(run1(ops::ReduceSum, {x, Tensor::vector<int64_t>({})}, {{"noop_with_empty_axes", int64_t{1}}}) == x);
}

TEST(Reduce, GivesTheNeutralElementForNothing) {
  const Tensor x = Tensor(DType::Float32, {2, 0});
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(values<float>(run1(ops::ReduceSum, {x, kAxis1})), (Floats{0, 0}));
  EXPECT_EQ(values<float>(run1(ops::ReduceProd, {x, kAxis1})), (Floats{1, 1}));
  EXPECT_EQ(values<float>(run1(ops::ReduceMax, {x, kAxis1})), (Floats{-inf, -inf}));
  EXPECT_EQ(values<float>(run1(ops::ReduceLogSumExp, {x, kAxis1})), (Floats{-inf, -inf}));
}

TEST(Reduce, WrapsIntegersAndKeepsBytesAndBools) {
  EXPECT_EQ(values<int32_t>(run1(ops::ReduceSum, {Tensor::vector<int32_t>({INT32_MAX, 1})})),
            (std::vector<int32_t>{INT32_MIN}));
  EXPECT_EQ(values<uint8_t>(run1(ops::ReduceMax, {Tensor::vector<uint8_t>({200, 7})})), Bytes{200});
  Tensor flags(DType::Bool, {2});
  flags.mutable_data<bool>()[0] = true;
  EXPECT_FALSE(run1(ops::ReduceMin, {flags}).data<bool>()[0]);
  EXPECT_TRUE(run1(ops::ReduceMax, {flags}).data<bool>()[0]);
}

TEST(Reduce, SumsFloatsInDouble) {
  std::vector<float> v(1001, 1e-8f);
  v[0] = 1;
  EXPECT_EQ(values<float>(run1(ops::ReduceSum, {Tensor::vector<float>(v)})),
            Floats{static_cast<float>(1 + 1000 * static_cast<double>(1e-8f))});
}

TEST(Reduce, InfersWhatItCan) {
  EXPECT_EQ(inferred(ops::ReduceMean, {floats({N(), 8, 7, 7}), Tensor::vector<int64_t>({2, 3})}), "float[N,8,1,1]");
  EXPECT_EQ(inferred(ops::ReduceMean, {floats({N(), 8, 7}), Tensor::vector<int64_t>({-1})}, {{"keepdims", int64_t{0}}}),
            "float[N,8]");
  EXPECT_EQ(inferred(ops::ReduceMean, {floats({N(), 8}), Type::tensor(DType::Int64, Dims{1})}), "float[?,?]");
  EXPECT_EQ(inferred(ops::ReduceMean, {floats({N(), 8}), Tensor::vector<int64_t>({2})}),
            "axis 2 is out of range for float[N,8]");
}

}  // namespace
}  // namespace lapis::testing
