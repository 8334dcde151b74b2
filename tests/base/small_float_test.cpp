#include "base/small_float.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/tensor.h"

namespace lapis {
namespace {

constexpr DType kAll[] = {DType::Float8E4M3FN,   DType::Float8E4M3FNUZ, DType::Float8E5M2,
                          DType::Float8E5M2FNUZ, DType::Float4E2M1,     DType::Float8E8M0};

int codes_of(DType dtype) { return 1 << bit_width(dtype); }

// Bytes of every code that is a number, largest and smallest included.
TEST(SmallFloat, EveryValueRoundsToItself) {
  for (const DType dtype : kAll)
    for (int code = 0; code < codes_of(dtype); ++code) {
      const float value = from_small_float(dtype, static_cast<uint8_t>(code));
      if (std::isfinite(value)) EXPECT_EQ(to_small_float(dtype, value), code) << name_of(dtype) << " " << value;
    }
}

// Rounding to the nearest is monotonic, and a tie goes to the even code.
TEST(SmallFloat, TiesGoToEven) {
  for (const DType dtype : kAll) {
    if (dtype == DType::Float8E8M0) continue;
    for (int code = 0; code + 1 < codes_of(dtype) / 2; ++code) {
      const double low = from_small_float(dtype, static_cast<uint8_t>(code));
      const double high = from_small_float(dtype, static_cast<uint8_t>(code + 1));
      if (!std::isfinite(low) || !std::isfinite(high)) continue;
      const double middle = (low + high) / 2;
      SCOPED_TRACE(std::string(name_of(dtype)) + " between " + std::to_string(low) + " and " + std::to_string(high));
      EXPECT_EQ(to_small_float(dtype, middle), code + code % 2);
      EXPECT_EQ(to_small_float(dtype, std::nextafter(middle, low)), code);
      EXPECT_EQ(to_small_float(dtype, std::nextafter(middle, high)), code + 1);
    }
  }
}

struct Special {
  DType dtype;
  double value;
  bool saturate;
  int code;
};

TEST(SmallFloat, OverflowSaturatesOrBecomesWhatTheTypeHas) {
  for (const Special& s : {Special{DType::Float8E4M3FN, 464, true, 0x7E},
                           {DType::Float8E4M3FN, 464.5, false, 0x7F},
                           {DType::Float8E4M3FN, 464, false, 0x7E},
                           {DType::Float8E4M3FN, -INFINITY, true, 0xFE},
                           {DType::Float8E4M3FN, -INFINITY, false, 0xFF},
                           {DType::Float8E4M3FNUZ, 1e9, true, 0x7F},
                           {DType::Float8E4M3FNUZ, -1e9, false, 0x80},
                           {DType::Float8E5M2, 1e300, true, 0x7B},
                           {DType::Float8E5M2, INFINITY, false, 0x7C},
                           {DType::Float8E5M2, -INFINITY, false, 0xFC},
                           {DType::Float8E5M2FNUZ, INFINITY, true, 0x7F},
                           {DType::Float8E5M2FNUZ, INFINITY, false, 0x80},
                           {DType::Float4E2M1, -7, false, 0xF},
                           {DType::Float8E8M0, INFINITY, true, 0xFE},
                           {DType::Float8E8M0, INFINITY, false, 0xFF},
                           {DType::Float8E8M0, 0, true, 0x00}})
    EXPECT_EQ(to_small_float(s.dtype, s.value, {s.saturate, ScaleRounding::Up}), s.code) << name_of(s.dtype) << s.value;
}

TEST(SmallFloat, NanAndZeroKeepTheirMeaning) {
  for (const DType dtype : kAll) {
    if (dtype != DType::Float4E2M1) EXPECT_TRUE(std::isnan(from_small_float(dtype, to_small_float(dtype, NAN))));
    if (dtype == DType::Float8E8M0) continue;
    const bool signed_zero = dtype != DType::Float8E4M3FNUZ && dtype != DType::Float8E5M2FNUZ;
    const float zero = from_small_float(dtype, to_small_float(dtype, -0.0));
    EXPECT_EQ(zero, 0);
    EXPECT_EQ(std::signbit(zero), signed_zero) << name_of(dtype);
  }
}

TEST(SmallFloat, ScalesRoundAsAsked) {
  const auto code = [](double value, ScaleRounding rounding) {
    return to_small_float(DType::Float8E8M0, value, {true, rounding});
  };
  EXPECT_EQ(code(1.25, ScaleRounding::Up), 128);
  EXPECT_EQ(code(1.25, ScaleRounding::Down), 127);
  EXPECT_EQ(code(1.25, ScaleRounding::Nearest), 127);
  EXPECT_EQ(code(1.5, ScaleRounding::Nearest), 128);
  EXPECT_EQ(code(1.75, ScaleRounding::Down), 127);
}

TEST(SmallFloat, TensorsReadPackedElements) {
  Tensor t(DType::Float4E2M1, {3});
  t.mutable_raw()[0] = std::byte{0xF2};  // 1, -6
  t.mutable_raw()[1] = std::byte{0x05};  // 3
  EXPECT_EQ(to_string(t), "float4e2m1[3] {1, -6, 3}");
}

}  // namespace
}  // namespace lapis
