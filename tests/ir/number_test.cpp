#include "ir/number.h"

#include <gmock/gmock.h>

#include <cmath>

namespace lapis::testing {
namespace {

using ::testing::HasSubstr;

Type scalar_of(DType dtype) { return Type::tensor(dtype, Shape{}); }

std::string refusal(const char* text, DType dtype) {
  const auto tensor = Number::parse(text)->as(scalar_of(dtype));
  EXPECT_FALSE(tensor.ok()) << text;
  return to_string(tensor.diagnostics());
}

TEST(Number, KeepsEveryIntegerOf64Bits) {
  for (const int64_t wanted :
       {INT64_MIN, INT64_MIN + 1, -(int64_t{1} << 53) - 1, int64_t{0}, (int64_t{1} << 53) + 1, INT64_MAX}) {
    const auto number = Number::parse(std::to_string(wanted));
    ASSERT_TRUE(number) << wanted;
    EXPECT_EQ(number->integer(), wanted);
    EXPECT_EQ(number->as(scalar_of(DType::Int64))->data<int64_t>()[0], wanted);
    EXPECT_EQ(number->to_string(), std::to_string(wanted));
  }
  const Number most(UINT64_MAX);
  EXPECT_EQ(Number::parse("18446744073709551615"), most);
  EXPECT_EQ(most.as(scalar_of(DType::UInt64))->data<uint64_t>()[0], UINT64_MAX);
  EXPECT_EQ(most.integer(), std::nullopt);
}

TEST(Number, IsOfAnIntegerTypeOnlyAsItIs) {
  EXPECT_EQ(Number::parse("1e3")->as(scalar_of(DType::Int16))->data<int16_t>()[0], 1000);
  EXPECT_EQ(Number::parse("1e18")->as(scalar_of(DType::Int64))->data<int64_t>()[0], 1000000000000000000);
  EXPECT_EQ(Number::parse("-9.223372036854775807E+18")->as(scalar_of(DType::Int64))->data<int64_t>()[0], -INT64_MAX);
  EXPECT_EQ(Number::parse("1.8446744073709551615e19"), Number(UINT64_MAX));
  EXPECT_THAT(refusal("9223372036854775808", DType::Int64), HasSubstr("9223372036854775808 is no int64"));
  EXPECT_THAT(refusal("-1", DType::UInt64), HasSubstr("from 0 to 18446744073709551615"));
  EXPECT_THAT(refusal("128", DType::Int8), HasSubstr("give a whole number from -128 to 127"));
  EXPECT_THAT(refusal("2", DType::Bool), HasSubstr("from 0 to 1"));
  EXPECT_THAT(refusal("1", DType::String), HasSubstr("1 is no string"));
  for (const char* text : {"0.5", "nan", "inf", "1e300", "1e19", "1.25e1"})
    EXPECT_THAT(refusal(text, DType::Int32), HasSubstr("is no int32")) << text;
}

TEST(Number, IsRoundedToFloats) {
  EXPECT_EQ(Number::parse("0.1")->as(scalar_of(DType::Float32))->data<float>()[0], 0.1F);
  EXPECT_TRUE(std::signbit(Number::parse("-0")->as(scalar_of(DType::Float64))->data<double>()[0]));
  EXPECT_EQ(Number::parse("16777217")->as(scalar_of(DType::Float32))->data<float>()[0], 16777216.0F);
}

TEST(Number, DoesNotBecomeInfinite) {
  EXPECT_THAT(refusal("65536", DType::Float16), HasSubstr("65536 is beyond the largest float16"));
  EXPECT_THAT(refusal("-1e39", DType::Float32), HasSubstr("is beyond the largest float"));
  EXPECT_TRUE(std::isinf(Number::parse("inf")->as(scalar_of(DType::Float16))->as_double(0)));
}

TEST(Number, IsNothingElse) {
  for (const char* text : {"", "e5", "1e", "1e+-3", "+1e3", "x", "1x", "0x10", "--1", " 1", "1e999"})
    EXPECT_FALSE(Number::parse(text)) << text;
}

}  // namespace
}  // namespace lapis::testing
