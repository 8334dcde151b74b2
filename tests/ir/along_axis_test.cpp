#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

TEST(ArgMax, TakesTheFirstOrLastOfEquals) {
  const Tensor x = Tensor::of<float>({2, 3}, {1, 5, 5, 7, 0, 7});
  EXPECT_EQ(values<int64_t>(run1(ops::ArgMax, {x}, {{"axis", int64_t{1}}})), (Ints{1, 0}));
  EXPECT_EQ(values<int64_t>(run1(ops::ArgMax, {x}, {{"axis", int64_t{1}}, {"select_last_index", int64_t{1}}})),
            (Ints{2, 2}));
  const Tensor columns = run1(ops::ArgMin, {x}, {{"keepdims", int64_t{0}}});
  EXPECT_EQ(columns.shape(), Shape{3});
  EXPECT_EQ(values<int64_t>(columns), (Ints{0, 1, 0}));
}

TEST(ArgMax, OrdersLargeUnsignedNumbers) {
  EXPECT_EQ(values<int64_t>(run1(ops::ArgMax, {Tensor::vector<uint64_t>({1, UINT64_MAX, 2})})), Ints{1});
}

TEST(TopK, ReturnsTheBestInOrder) {
  const Tensor x = Tensor::of<float>({2, 4}, {3, 1, 3, 2, 0, 9, 8, 7});
  auto largest = run(ops::TopK, {x, Tensor::vector<int64_t>({2})}, {}, 2);
  ASSERT_TRUE(largest.ok());
  EXPECT_EQ(values<float>((*largest)[0]), (Floats{3, 3, 9, 8}));
  EXPECT_EQ(values<int64_t>((*largest)[1]), (Ints{0, 2, 1, 2}));
  auto smallest = run(ops::TopK, {x, Tensor::vector<int64_t>({1})}, {{"axis", int64_t{0}}, {"largest", int64_t{0}}}, 2);
  ASSERT_TRUE(smallest.ok());
  EXPECT_EQ(values<int64_t>((*smallest)[1]), (Ints{1, 0, 0, 0}));
}

TEST(TopK, ChecksK) {
  EXPECT_EQ(inferred(ops::TopK, {floats({N(), 10}), Tensor::vector<int64_t>({5})}, {}, 1), "int64[N,5]");
  EXPECT_EQ(inferred(ops::TopK, {floats({N(), 10}), Tensor::vector<int64_t>({11})}, {}, 1),
            "k is 11 but axis 1 of float[N,10] has 10 elements");
}

TEST(CumSum, RunsBothWays) {
  const Tensor x = ramp({4}), axis = Tensor::scalar<int64_t>(0);
  EXPECT_EQ(values<float>(run1(ops::CumSum, {x, axis})), (Floats{1, 3, 6, 10}));
  EXPECT_EQ(values<float>(run1(ops::CumSum, {x, axis}, {{"exclusive", int64_t{1}}})), (Floats{0, 1, 3, 6}));
  EXPECT_EQ(values<float>(run1(ops::CumSum, {x, axis}, {{"reverse", int64_t{1}}})), (Floats{10, 9, 7, 4}));
  EXPECT_EQ(values<float>(run1(ops::CumSum, {x, axis}, {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}})),
            (Floats{9, 7, 4, 0}));
}

}  // namespace
}  // namespace lapis::testing
