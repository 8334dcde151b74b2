#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

Attributes kernel(Ints k) { return {{"kernel_shape", std::move(k)}}; }
Attributes with(Attributes a, const std::string& name, Attribute value) {
  a[name] = std::move(value);
  return a;
}

TEST(MaxPool, IgnoresPaddingEvenIfAllValuesAreNegative) {
  const Tensor x = Tensor::of<float>({1, 1, 1, 3}, {-5, -3, -4});
  EXPECT_EQ(values<float>(run1(ops::MaxPool, {x}, with(kernel({1, 2}), "pads", Ints{0, 1, 0, 1}))),
            (Floats{-5, -3, -3, -4}));
}

TEST(MaxPool, WorksOnBytesAndDilates) {
  const Tensor x = Tensor::of<int8_t>({1, 1, 1, 4}, {-128, 7, -3, 5});
  EXPECT_EQ(values<int8_t>(run1(ops::MaxPool, {x}, with(kernel({1, 2}), "dilations", Ints{1, 2}))),
            (std::vector<int8_t>{-3, 7}));
}

TEST(MaxPool, ReturnsIndicesInBothOrders) {
  const Tensor x = Tensor::of<float>({1, 2, 2, 2}, {1, 9, 2, 3, 0, 0, 8, 0});
  auto row = run(ops::MaxPool, {x}, kernel({2, 2}), 2);
  auto column = run(ops::MaxPool, {x}, with(kernel({2, 2}), "storage_order", int64_t{1}), 2);
  ASSERT_TRUE(row.ok() && column.ok());
  EXPECT_EQ(values<int64_t>((*row)[1]), (Ints{1, 6}));
  EXPECT_EQ(values<int64_t>((*column)[1]), (Ints{2, 5}));
}

TEST(MaxPool, RoundsUpButNeverStartsInThePadding) {
  const Attributes ceil = with(with(kernel({3, 3}), "strides", Ints{2, 2}), "ceil_mode", int64_t{1});
  EXPECT_EQ(inferred(ops::MaxPool, {floats({1, 1, 4, 4})}, ceil), "float[1,1,2,2]");
  EXPECT_EQ(inferred(ops::MaxPool, {floats({1, 1, Dim::symbol("H"), 112})}, ceil), "float[1,1,floor(H/2),56]");
  // Kernel 1, stride 2 on 2 padded elements: the second window would begin in the padding.
  const Attributes drops =
      with(with(with(kernel({1}), "strides", Ints{2}), "ceil_mode", int64_t{1}), "pads", Ints{0, 1});
  EXPECT_EQ(inferred(ops::MaxPool, {floats({1, 1, 2})}, drops), "float[1,1,1]");
  EXPECT_EQ(values<float>(run1(ops::MaxPool, {ramp({1, 1, 2})}, drops)), Floats{1});
}

TEST(Pools, AnAxisWithoutElementsHasAsManyPositionsAsTheStandardCounts) {
  const Attributes strided = with(kernel({3, 3}), "strides", Ints{2, 2});
  for (const OpDef* op : {&ops::MaxPool, &ops::AveragePool}) {
    const Type x = floats({1, 2, 0, 5});
    EXPECT_EQ(inferred(*op, {x}, with(strided, "auto_pad", std::string("SAME_LOWER"))), "float[1,2,0,3]");
    EXPECT_EQ(inferred(*op, {x}, with(strided, "pads", Ints{1, 1, 1, 1})), "float[1,2,0,3]");
    EXPECT_EQ(inferred(*op, {x}, strided), "the kernel [3,3] does not fit into the padded x float[1,2,0,5]");
    const Tensor y = run1(*op, {ramp({1, 2, 0, 5})}, with(strided, "auto_pad", std::string("SAME_UPPER")));
    EXPECT_EQ(y.shape(), (Shape{1, 2, 0, 3}));
  }
}

TEST(AveragePool, CountsPadsOnlyIfAsked) {
  const Tensor x = Tensor::of<float>({1, 1, 1, 2}, {2, 4});
  const Attributes padded = with(kernel({1, 2}), "pads", Ints{0, 1, 0, 1});
  EXPECT_EQ(values<float>(run1(ops::AveragePool, {x}, padded)), (Floats{2, 3, 4}));
  EXPECT_EQ(values<float>(run1(ops::AveragePool, {x}, with(padded, "count_include_pad", int64_t{1}))),
            (Floats{1, 3, 2}));
}

TEST(AveragePool, DoesNotCountWhatCeilModeAdds) {
  // Input 4, kernel 3, stride 2, rounded up: the last window sees 3, 4 and nothing.
  const Tensor x = ramp({1, 1, 4});
  const Attributes ceil =
      with(with(with(kernel({3}), "strides", Ints{2}), "ceil_mode", int64_t{1}), "count_include_pad", int64_t{1});
  EXPECT_EQ(values<float>(run1(ops::AveragePool, {x}, ceil)), (Floats{2, 3.5f}));
}

TEST(GlobalPools, SummarizeEachPlane) {
  const Tensor x = ramp({1, 2, 1, 3});
  const Tensor mean = run1(ops::GlobalAveragePool, {x});
  EXPECT_EQ(mean.shape(), (Shape{1, 2, 1, 1}));
  EXPECT_EQ(values<float>(mean), (Floats{2, 5}));
  EXPECT_EQ(values<float>(run1(ops::GlobalMaxPool, {x})), (Floats{3, 6}));
  EXPECT_EQ(inferred(ops::GlobalAveragePool, {floats({N(), 8, Dim::symbol("H"), 7})}), "float[N,8,1,1]");
}

}  // namespace
}  // namespace lapis::testing
