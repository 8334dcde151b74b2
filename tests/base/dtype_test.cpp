#include "base/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <cmath>

#include "tests/internal_error.h"

namespace lapis {
namespace {

constexpr int kLastDType = 26;  // Int2

DType dtype_at(int number) { return static_cast<DType>(number); }

TEST(DType, NamesRoundTrip) {
  for (int i = 1; i <= kLastDType; ++i) EXPECT_EQ(parse_dtype(name_of(dtype_at(i))), dtype_at(i)) << i;
  for (const auto& [name, dtype] : {std::pair("float32", DType::Float32),
                                    {"<f4", DType::Float32},
                                    {"|u1", DType::UInt8},
                                    {"float64", DType::Float64},
                                    {"<i8", DType::Int64},
                                    {"|b1", DType::Bool}})
    EXPECT_EQ(parse_dtype(name), dtype) << name;
  for (const char* name : {"", "undefined", "flaot", "Float", ">f4", "float "}) EXPECT_FALSE(parse_dtype(name)) << name;
}

TEST(DType, WidthsAndClasses) {
  struct Case {
    DType dtype;
    int bits;
    bool floating, integer, is_signed;
  };
  for (const Case& c : {Case{DType::Float32, 32, true, false, true},
                        {DType::BFloat16, 16, true, false, true},
                        {DType::UInt8, 8, false, true, false},
                        {DType::Int8, 8, false, true, true},
                        {DType::UInt4, 4, false, true, false},
                        {DType::Int2, 2, false, true, true},
                        {DType::Bool, 8, false, false, false},
                        {DType::String, 0, false, false, false},
                        {DType::Float8E4M3FN, 8, true, false, true},
                        {DType::Complex64, 64, false, false, false}}) {
    SCOPED_TRACE(name_of(c.dtype));
    EXPECT_EQ(bit_width(c.dtype), c.bits);
    EXPECT_EQ(is_float(c.dtype), c.floating);
    EXPECT_EQ(is_integer(c.dtype), c.integer);
    EXPECT_EQ(is_signed(c.dtype), c.is_signed);
    EXPECT_EQ(is_quantized_storage(c.dtype), c.dtype == DType::UInt8 || c.dtype == DType::Int8);
  }
}

TEST(DType, PackedTypesRoundUpToBytes) {
  EXPECT_EQ(byte_size(DType::Int4, 0), 0);
  EXPECT_EQ(byte_size(DType::Int4, 1), 1);
  EXPECT_EQ(byte_size(DType::UInt4, 3), 2);
  EXPECT_EQ(byte_size(DType::Int2, 5), 2);
  EXPECT_EQ(byte_size(DType::Float32, int64_t{1} << 40), int64_t{1} << 42);
}

TEST(DType, IntegerRanges) {
  for (const auto& [dtype, low, high] : {std::tuple(DType::UInt8, int64_t{0}, uint64_t{255}),
                                         {DType::Int8, -128, 127},
                                         {DType::Int4, -8, 7},
                                         {DType::UInt2, 0, 3},
                                         {DType::Int32, INT32_MIN, INT32_MAX},
                                         {DType::UInt32, 0, UINT32_MAX},
                                         {DType::Int64, INT64_MIN, INT64_MAX},
                                         {DType::UInt64, 0, UINT64_MAX}}) {
    EXPECT_EQ(integer_range(dtype).lowest, low) << name_of(dtype);
    EXPECT_EQ(integer_range(dtype).highest, high) << name_of(dtype);
  }
  EXPECT_INTERNAL_ERROR(static_cast<void>(integer_range(DType::Float32)), "not an integer type");
}

// What the bits of a half mean, by the definition of binary16.
double half_value(uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 31) return mantissa ? std::nan("") : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

TEST(Float16, EveryValueConvertsExactlyAndBack) {
  for (int bits = 0; bits < 65536; ++bits) {
    const Float16 half{static_cast<uint16_t>(bits)};
    const double wanted = half_value(half.bits);
    if (std::isnan(wanted)) {
      EXPECT_TRUE(std::isnan(to_float(half))) << bits;
      EXPECT_TRUE(std::isnan(half_value(to_float16(to_float(half)).bits))) << bits;
      continue;
    }
    ASSERT_EQ(to_float(half), wanted) << bits;
    ASSERT_EQ(std::signbit(to_float(half)), bits >= 32768) << bits;
    ASSERT_EQ(to_float16(to_float(half)).bits, bits);
  }
}

// The float midway between neighbours goes to the even one, the floats around it to their own side.
TEST(Float16, TiesRoundToEven) {
  for (uint16_t low = 0; low < 0x7BFF; ++low) {
    const auto high = static_cast<uint16_t>(low + 1);
    const auto middle =
        static_cast<float>((half_value(low) + half_value(high)) / 2);  // exact: one bit more than a half
    for (const uint16_t sign : {0, 0x8000}) {
      const float s = sign ? -1.f : 1.f;
      ASSERT_EQ(to_float16(s * middle).bits, sign | (low & 1 ? high : low)) << low;
      ASSERT_EQ(to_float16(s * std::nextafter(middle, 0.f)).bits, sign | low) << low;
      ASSERT_EQ(to_float16(s * std::nextafter(middle, INFINITY)).bits, sign | high) << low;
    }
  }
}

TEST(Float16, OverflowsAndUnderflows) {
  EXPECT_EQ(to_float16(65504.f).bits, 0x7BFF);
  EXPECT_EQ(to_float16(std::nextafter(65520.f, 0.f)).bits, 0x7BFF);
  EXPECT_EQ(to_float16(65520.f).bits, 0x7C00);
  EXPECT_EQ(to_float16(-INFINITY).bits, 0xFC00);
  EXPECT_EQ(to_float16(FLT_MIN).bits, 0);
  EXPECT_EQ(to_float16(-FLT_TRUE_MIN).bits, 0x8000);
}

TEST(BFloat16, EveryValueConvertsExactlyAndBack) {
  for (int bits = 0; bits < 65536; ++bits) {
    const BFloat16 b{static_cast<uint16_t>(bits)};
    const float value = to_float(b);
    ASSERT_EQ(std::bit_cast<uint32_t>(value), static_cast<uint32_t>(bits) << 16);
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(to_float(to_bfloat16(value)))) << bits;
    else
      ASSERT_EQ(to_bfloat16(value).bits, bits);
  }
}

TEST(BFloat16, TiesRoundToEvenAndNanStaysNan) {
  for (uint32_t low = 0; low < 0x7F80; ++low) {  // the last one rounds to infinity
    const float middle = std::bit_cast<float>((low << 16) | 0x8000);
    ASSERT_EQ(to_bfloat16(middle).bits, low + (low & 1)) << low;
    ASSERT_EQ(to_bfloat16(std::nextafter(middle, 0.f)).bits, low) << low;
    ASSERT_EQ(to_bfloat16(std::bit_cast<float>((low << 16) | 0x8001)).bits, low + 1) << low;
  }
  const float quiet_by_low_bits_only = std::bit_cast<float>(uint32_t{0x7F800001});
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(quiet_by_low_bits_only))));
}

TEST(DType, VisitsTheTypesThatHaveOne) {
  for (int i = 0; i <= kLastDType; ++i) {
    int bits = 0;
    const bool visited = visit_dtype(dtype_at(i), [&](auto tag) {
      bits = 8 * static_cast<int>(sizeof tag);
      EXPECT_EQ(dtype_of<decltype(tag)>, dtype_at(i));
    });
    EXPECT_EQ(bits, visited ? bit_width(dtype_at(i)) : 0);
    EXPECT_EQ(visited, (i >= 1 && i <= 13 && i != 8) || i == 16) << i;
  }
}

}  // namespace
}  // namespace lapis
