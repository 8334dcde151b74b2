// The arithmetic of accesses, on its own.
#include "codegen/reach.h"

#include <gtest/gtest.h>

namespace lapis::codegen {
namespace {

TEST(Reach, GoesBothWays) {
  const Reach reach = reach_of({0, DType::Float32, {2, 3, 4}, {100, -10, 1}, 50});
  EXPECT_EQ(reach.first, 30);
  EXPECT_EQ(reach.last, 153);
  EXPECT_EQ(reach.count(), 124);
}

TEST(Reach, OfNothingIsEmpty) {
  const Reach reach = reach_of({0, DType::Float32, {2, 0}, {1, 1}, 7});
  EXPECT_TRUE(reach.empty());
  EXPECT_EQ(reach.count(), 0);
}

TEST(Reach, DoesNotOverflow) {
  for (const int64_t stride : {INT64_MAX, INT64_MIN + 1}) {
    Reach reach(INT64_MAX);
    for (int i = 0; i < 10; ++i) reach.along(stride, INT64_MAX);
    EXPECT_EQ(reach.last, Reach::kFar);
    EXPECT_EQ(reach.first, stride > 0 ? Reach::kFar : -Reach::kFar);
  }
}

TEST(AllDifferent, WhereEachDimensionStepsOverThoseInside) {
  EXPECT_TRUE(all_different({{12, 5}, {1, 4}, {4, 3}}));   // dense, in any order
  EXPECT_TRUE(all_different({{-12, 5}, {4, 3}, {1, 3}}));  // backwards, with gaps
  EXPECT_TRUE(all_different({{0, 1}, {1, 4}}));            // one step leads nowhere
  EXPECT_FALSE(all_different({{0, 2}, {1, 4}}));           // again and again
  EXPECT_FALSE(all_different({{3, 2}, {1, 4}}));           // element 3 twice
  EXPECT_TRUE(all_different({{8, 4}}, 8));
  EXPECT_FALSE(all_different({{7, 4}}, 8));  // runs that overlap
}

}  // namespace
}  // namespace lapis::codegen
