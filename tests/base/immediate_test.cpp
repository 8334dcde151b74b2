#include "base/immediate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lapis {
namespace {

TEST(Immediate, HoldsSixtyFourBitsOfEveryKind) {
  EXPECT_EQ(Immediate(INT64_MAX).as_int(), INT64_MAX);
  EXPECT_EQ(Immediate(INT64_MIN).as_int(), INT64_MIN);
  EXPECT_EQ(Immediate(UINT64_MAX).bits(), UINT64_MAX);
  EXPECT_EQ(Immediate(UINT64_MAX).as_double(), 0x1p64);
  EXPECT_EQ(Immediate(-1).as_double(), -1);
  EXPECT_EQ(Immediate(0.1f).as_double(), static_cast<double>(0.1f));
}

TEST(Immediate, RealNumbersBecomeIntegersAsCastDoes) {
  EXPECT_EQ(Immediate(-1.9).as_int(), -1);
  EXPECT_EQ(Immediate(1e300).as_int(), INT64_MAX);
  EXPECT_EQ(Immediate(-HUGE_VAL).as_int(), INT64_MIN);
  EXPECT_EQ(Immediate(std::nan("")).as_int(), 0);
}

TEST(Immediate, EqualityIsThatOfBits) {
  EXPECT_NE(Immediate(0.0), Immediate(-0.0));
  EXPECT_EQ(Immediate(std::nan("")), Immediate(std::nan("")));
  EXPECT_NE(Immediate(1), Immediate(1.0));
  EXPECT_EQ(Immediate(1.0).held_as(DType::Int8), Immediate(1));
  EXPECT_EQ(Immediate(3).held_as(DType::Float32), Immediate(3.0));
}

TEST(Immediate, TakesElementsExactly) {
  EXPECT_EQ(Immediate::element(Tensor::scalar(UINT64_MAX - 1), 0), Immediate(UINT64_MAX - 1));
  EXPECT_EQ(Immediate::element(Tensor::vector<int64_t>({1, INT64_MAX - 1}), 1), Immediate(INT64_MAX - 1));
  EXPECT_EQ(Immediate::element(Tensor::scalar(to_float16(0.5f)), 0), Immediate(0.5));
}

TEST(Immediate, PrintsTheShortestTextThatReadsBack) {
  EXPECT_EQ(to_string(Immediate(0.1f)), "0.1");
  EXPECT_EQ(to_string(Immediate(0.1)), "0.1");
  EXPECT_EQ(to_string(Immediate(-0.0)), "-0");
  EXPECT_EQ(to_string(Immediate(UINT64_MAX)), "18446744073709551615");
  EXPECT_EQ(to_string(Immediate(-7)), "-7");
}

}  // namespace
}  // namespace lapis
