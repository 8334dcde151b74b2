#include "base/parts.h"

#include <gtest/gtest.h>

namespace lapis {
namespace {

std::vector<std::byte> bytes(size_t count, int value) { return std::vector<std::byte>(count, std::byte(value)); }

TEST(Parts, AreOneRangeOfAlignedOffsets) {
  const auto a = bytes(10, 1), b = bytes(64, 2), c = bytes(3, 3);
  Parts parts;
  EXPECT_EQ(parts.size(), 0U);
  EXPECT_EQ(parts.at(0), nullptr);
  EXPECT_EQ(parts.append(a, nullptr), 0U);
  EXPECT_EQ(parts.append(b, nullptr), 64U);
  EXPECT_EQ(parts.append(c, nullptr), 128U);
  EXPECT_EQ(parts.size(), 131U);
  EXPECT_EQ(parts.at(65), b.data() + 1);
  EXPECT_EQ(parts.at(20), nullptr);
  EXPECT_TRUE(parts.holds(64, 64));
  EXPECT_TRUE(parts.holds(10, 0));
  EXPECT_FALSE(parts.holds(5, 6));
  EXPECT_FALSE(parts.holds(100, 40));  // of two parts
  EXPECT_FALSE(parts.holds(131, 1));
  EXPECT_FALSE(parts.holds(UINT64_MAX, 1));
  EXPECT_FALSE(parts.holds(64, UINT64_MAX));
}

TEST(Parts, CopyWithZerosBetween) {
  const auto a = bytes(2, 1), b = bytes(2, 2);
  Parts parts;
  parts.append(a, nullptr);
  parts.append(b, nullptr);
  std::vector<std::byte> to = bytes(66, 9);
  parts.copy(1, to);
  std::vector<std::byte> wanted = bytes(66, 0);
  wanted[0] = std::byte{1};
  wanted[63] = wanted[64] = std::byte{2};
  EXPECT_EQ(to, wanted);
}

}  // namespace
}  // namespace lapis
