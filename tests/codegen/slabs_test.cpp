// The pixels of any grid, batched or not: every one is in just one slab,
// and its address is what the unit and the table say.
#include "codegen/kernels/slabs.h"

#include <gtest/gtest.h>

#include <random>

namespace lapis::kernels {
namespace {

void expect_all_addresses(const Contraction& c) {
  const Slabs slabs(c);
  const std::vector<int32_t> table = slabs.table();
  const size_t columns = c.grid.columns.size();
  ASSERT_EQ(table.size(), static_cast<size_t>(slabs.most_pixels()) * columns);
  std::vector<int64_t> highest(columns, 0);
  for (size_t i = 0; i < table.size(); ++i) {
    ASSERT_GE(table[i], 0);
    highest[i % columns] = std::max<int64_t>(highest[i % columns], table[i]);
  }
  for (size_t column = 0; column < columns; ++column) EXPECT_EQ(slabs.reach(column), highest[column]);
  int64_t pixel = 0;
  const auto lowest = [&](size_t column) {
    int64_t at = c.grid.columns[column].origin;
    for (size_t d = 0; d < c.grid.extents.size(); ++d)
      at += std::min<int64_t>(c.grid.columns[column].strides[d] * (c.grid.extents[d] - 1), 0);
    return at;
  };
  for (int64_t slab = 0; slab < slabs.of_batch() * c.batches(); ++slab) {
    ASSERT_LE(slabs.pixels_of(slab), slabs.most_pixels());
    for (size_t column = 0; column < columns; ++column) ASSERT_GE(slabs.base(column, slab), lowest(column));
    for (int64_t i = 0; i < slabs.pixels_of(slab); ++i, ++pixel)
      for (size_t column = 0; column < columns; ++column)
        ASSERT_EQ(slabs.base(column, slab) + table[static_cast<size_t>(i) * columns + column],
                  c.grid.address(column, pixel))
            << "pixel " << pixel;
  }
  EXPECT_EQ(pixel, c.pixels);
}

TEST(Slabs, GiveEveryPixelItsAddress) {
  std::mt19937 generator(5);
  auto any = [&](int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); };
  for (int i = 0; i < 60; ++i) {
    Contraction c;
    for (int64_t rank = any(0, 4); rank > 0; --rank)
      c.grid.extents.push_back(any(1, rank == 1 ? 40000 / (1 + any(0, 300)) : 12));
    c.pixels = element_count(c.grid.extents);
    const size_t batch =
        c.grid.extents.empty() ? 0 : static_cast<size_t>(any(0, static_cast<int64_t>(c.grid.extents.size()) - 1));
    c.computed = ComputedWeights{element_count(std::span(c.grid.extents).first(batch)), {}, {}};
    for (int64_t columns = any(2, 4); columns > 0; --columns) {
      PixelGrid::Column column{any(0, 1000000), {}};
      for (size_t d = 0; d < c.grid.extents.size(); ++d) column.strides.push_back(any(-300, 300));
      c.grid.columns.push_back(column);
    }
    SCOPED_TRACE(to_string(c.grid.extents));
    expect_all_addresses(c);
  }
}

TEST(Slabs, AreFewForSmallImagesAndSmallForLargeOnes) {
  Contraction c;
  c.grid = {{112, 112}, {{0, {448, 4}}, {0, {448, 4}}}};
  c.pixels = 112 * 112;
  EXPECT_EQ(Slabs(c).of_batch(), 1);
  c.grid = {{256, 256, 256}, {{0, {262144, 1024, 4}}, {0, {262144, 1024, 4}}}};
  c.pixels = 256 * 256 * 256;
  EXPECT_EQ(Slabs(c).of_batch(), 1024);
  EXPECT_EQ(Slabs(c).most_pixels(), 64 * 256);
}

}  // namespace
}  // namespace lapis::kernels
