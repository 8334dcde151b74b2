#include "base/tensor.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/internal_error.h"

namespace lapis {
namespace {

TEST(Tensor, IsZeroFilledAndAligned) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 5}, Shape{1000, 7}}) {
    const Tensor t(DType::Int32, shape);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.raw()) % 64, 0U);
    for (const int32_t v : t.data<int32_t>()) ASSERT_EQ(v, 0);
  }
  EXPECT_FALSE(Tensor().defined());
  EXPECT_EQ(Tensor::scalar(3.f).size(), 1);
}

TEST(Tensor, CopiesShareUntilOneIsWritten) {
  Tensor a = Tensor::vector<int32_t>({1, 2, 3});
  Tensor b = a;
  EXPECT_EQ(a.raw(), b.raw());
  b.mutable_data<int32_t>()[0] = 7;
  EXPECT_NE(a.raw(), b.raw());
  EXPECT_EQ(a.as_ints(), (Shape{1, 2, 3}));
  EXPECT_EQ(b.as_ints(), (Shape{7, 2, 3}));
  const std::byte* own = b.raw();
  EXPECT_EQ(b.mutable_raw(), own) << "the only owner writes in place";
}

TEST(Tensor, NoSizeWraps) {
  EXPECT_FALSE(shape_problem(DType::Float32, Shape{int64_t{1} << 46}));
  EXPECT_EQ(shape_problem(DType::Float32, Shape{(int64_t{1} << 46) + 1}), "[70368744177665] is larger than any memory");
  EXPECT_FALSE(shape_problem(DType::UInt4, Shape{int64_t{1} << 49}));
  EXPECT_TRUE(shape_problem(DType::UInt8, Shape{int64_t{1} << 32, int64_t{1} << 32})) << "2^64 wraps to 0";
  EXPECT_TRUE(shape_problem(DType::UInt8, Shape{int64_t{1} << 40, 0, int64_t{1} << 40})) << "strides would wrap";
  EXPECT_TRUE(shape_problem(DType::String, Shape{int64_t{1} << 45}));
  EXPECT_EQ(shape_problem(DType::UInt8, Shape{2, -1}), "[2,-1] has a negative extent");
  EXPECT_EQ(shape_problem(DType::UInt8, Shape(65, 1)), "65 axes are more than 64");
}

TEST(Tensor, CannotBeMadeWithASizeThatWraps) {
  const int64_t huge = int64_t{1} << 32;
  EXPECT_THROW(Tensor(DType::Float32, {huge, huge}), std::bad_alloc);
  EXPECT_THROW(Tensor(DType::UInt8, {kMaxTensorBytes}), std::bad_alloc) << "no machine has that";
  EXPECT_THROW(static_cast<void>(Tensor::vector<float>({}).reshaped({huge, huge, 0})), std::bad_alloc);
  EXPECT_INTERNAL_ERROR(static_cast<void>(Tensor(DType::Float32, {-4})), "a tensor of \\[-4\\]");
  EXPECT_INTERNAL_ERROR(static_cast<void>(element_count(Shape{huge, huge})), "more than 64 bits");
  EXPECT_INTERNAL_ERROR(static_cast<void>(row_major_strides(Shape{2, huge, huge})), "more than 64 bits");
  EXPECT_INTERNAL_ERROR(static_cast<void>(byte_size(DType::Float32, INT64_MAX / 16)), "more than 64 bits");
}

TEST(Tensor, ViewsShareUntilOneIsWritten) {
  const Tensor a = Tensor::vector<float>({1, 2, 3, 4});
  Tensor b = a.reshaped({2, 2});
  EXPECT_EQ(a.raw(), b.raw());
  b.mutable_data<float>()[3] = 9;
  EXPECT_EQ(a.as_double(3), 4);
  EXPECT_INTERNAL_ERROR(static_cast<void>(a.reshaped({3})), "cannot view");
}

TEST(Tensor, BorrowedBytesAreNeverWritten) {
  const auto owner = std::make_shared<std::array<float, 2>>(std::array<float, 2>{1, 2});
  Tensor t(DType::Float32, {2}, {owner, reinterpret_cast<const std::byte*>(owner->data())});
  EXPECT_EQ(static_cast<const void*>(t.raw()), owner->data());
  t.mutable_data<float>()[0] = 5;
  EXPECT_EQ((*owner)[0], 1);
  EXPECT_EQ(t.as_double(0), 5);
  EXPECT_EQ(t.as_double(1), 2);
}

TEST(Tensor, ReadsPackedElements) {
  const auto packed = [](DType dtype, Shape shape, std::vector<uint8_t> bytes) {
    Tensor t(dtype, std::move(shape));
    for (size_t i = 0; i < bytes.size(); ++i) t.mutable_raw()[i] = std::byte{bytes[i]};
    return t;
  };
  EXPECT_EQ(packed(DType::UInt4, {3}, {0xA5, 0x0F}).as_ints(), (Shape{5, 10, 15}));
  EXPECT_EQ(packed(DType::Int4, {3}, {0xA5, 0x08}).as_ints(), (Shape{5, -6, -8}));
  EXPECT_EQ(packed(DType::UInt2, {5}, {0b11100100, 1}).as_ints(), (Shape{0, 1, 2, 3, 1}));
  EXPECT_EQ(packed(DType::Int2, {4}, {0b11100100}).as_ints(), (Shape{0, 1, -2, -1}));
}

TEST(Tensor, ReadsElementsOfEveryNumericType) {
  EXPECT_EQ(Tensor::scalar<int64_t>(INT64_MAX).as_int(0), INT64_MAX) << "not through double";
  EXPECT_EQ(Tensor::scalar(true).as_int(0), 1);
  EXPECT_EQ(Tensor::scalar(Float16{0x3E00}).as_double(0), 1.5);
  EXPECT_EQ(Tensor::scalar(BFloat16{0xC000}).as_double(0), -2);
  EXPECT_EQ(Tensor::strings({2}, {"a", "b"}).string_data()[1], "b");
  EXPECT_INTERNAL_ERROR(static_cast<void>(Tensor::scalar(1.f).data<int32_t>()), "holds float, not int32");
}

TEST(Tensor, EqualityAndHashFollowTypeShapeAndContent) {
  const Tensor a = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(a, Tensor::of<float>({2, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(a.hash(), Tensor::of<float>({2, 2}, {1, 2, 3, 4}).hash());
  for (const Tensor& other : {Tensor::of<float>({2, 2}, {1, 2, 3, 5}), Tensor::of<float>({4}, {1, 2, 3, 4}),
                              Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4}), Tensor()}) {
    EXPECT_FALSE(a == other) << to_string(other);
    EXPECT_NE(a.hash(), other.hash()) << to_string(other);
  }
  EXPECT_EQ(Tensor::strings({1}, {"x"}), Tensor::strings({1}, {"x"}));
  EXPECT_FALSE(Tensor::strings({1}, {"x"}) == Tensor::strings({1}, {"y"}));
}

TEST(Tensor, Prints) {
  EXPECT_EQ(to_string(Tensor::of<float>({2, 2}, {1, 2.5, -3, 4}), 3), "float[2,2] {1, 2.5, -3, ...}");
  EXPECT_EQ(to_string(Tensor::strings({1}, {"x"})), "string[1] {\"x\"}");
  EXPECT_EQ(to_string(Tensor::of<float>({2}, {1, 2}), 0), "float[2]");
  EXPECT_EQ(to_string(Tensor()), "undefined");
  EXPECT_EQ(row_major_strides(Shape{2, 3, 4}), (Shape{12, 4, 1}));
}

TEST(Tensor, ElementsAsIntegersAreExactOrSaturate) {
  EXPECT_EQ(Tensor::scalar(UINT64_MAX).as_int(0), -1) << "the bits stay";
  EXPECT_EQ(Tensor::scalar((int64_t{1} << 53) + 1).as_int(0), (int64_t{1} << 53) + 1);
  EXPECT_EQ(Tensor::scalar(uint32_t{4000000000}).as_int(0), 4000000000);
  EXPECT_EQ(Tensor::scalar(1e300).as_int(0), INT64_MAX);
  EXPECT_EQ(Tensor::scalar(-2.7).as_int(0), -2);
}

TEST(Tensor, PrintsComplexNumbers) {
  EXPECT_EQ(to_string(Tensor(DType::Complex64, {2})), "complex64[2] {(0,0), (0,0)}");
  EXPECT_EQ(to_string(Tensor(DType::Complex128, {1})), "complex128[1] {(0,0)}");
}

}  // namespace
}  // namespace lapis
