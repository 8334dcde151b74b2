#include "codegen/kernels/slabs.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace lapis::kernels {
namespace {

constexpr int64_t kMostPixels = 1 << 14;  // of a table: images of 112 x 112 are one slab

size_t batch_dimensions(const Contraction& c) {
  size_t count = 0;
  for (int64_t batches = 1; batches < c.batches() && count < c.grid.extents.size(); ++count)
    batches *= c.grid.extents[count];
  return count;
}

// All of one size, the largest that there is.
Tiles equal_tiles(int64_t rows, int most) {
  while (rows % most != 0) --most;
  return tiles_of(rows, most);
}

}  // namespace

Tiles balanced_tiles(int64_t pixels, int max_mr) {
  const int64_t count = (pixels + max_mr - 1) / max_mr;
  return tiles_of(pixels, static_cast<int>((pixels + count - 1) / count));
}

Tiles tiles_of(int64_t pixels, int mr) {
  const int64_t count = (pixels + mr - 1) / mr, big = pixels - count * (mr - 1);
  LAPIS_ASSERT(big >= 0, pixels << " pixels are not tiles of " << mr << " and one less");
  return {mr, big, count - big};
}

Slabs::Slabs(const Contraction& c) : grid_(c.grid), dimension_(c.grid.extents.size()) {
  const Shape& extents = grid_.extents;
  const size_t first = batch_dimensions(c);
  while (dimension_ > first && inner_ * extents[dimension_ - 1] <= kMostPixels) inner_ *= extents[--dimension_];
  extents_.assign(extents.begin() + static_cast<std::ptrdiff_t>(dimension_), extents.end());
  sweep_ = inner_;
  if (dimension_ == first) return;
  const int64_t extent = extents[--dimension_];
  const int64_t grain = inner_ == 1 && extent % 2 == 0 ? 2 : 1;  // pairs of pixels stay together (shares_columns)
  inner_ *= grain;
  const auto backwards = [&](const PixelGrid::Column& column) { return column.strides[dimension_] < 0; };
  const auto most = static_cast<int>(kMostPixels / inner_);
  // A short slab that runs backwards would count from before its buffer.
  cut_ = std::ranges::any_of(grid_.columns, backwards) ? equal_tiles(extent / grain, most)
                                                       : balanced_tiles(extent / grain, most);
  extents_.insert(extents_.begin(), cut_.mr * grain);
  sweep_ = extent / grain * inner_;
  for (size_t d = first; d < dimension_; ++d) outer_ *= extents[d];
}

int64_t Slabs::base(size_t column, int64_t slab) const {
  const int64_t first = slab / cut_.count() * sweep_ + cut_.first_pixel(slab % cut_.count()) * inner_;
  return grid_.address(column, first) + lowest(column);
}

int64_t Slabs::distance(size_t column, size_t i) const {
  return grid_.columns[column].strides[dimension_ + i] * (extents_[i] - 1);
}

int64_t Slabs::lowest(size_t column) const {
  int64_t lowest = 0;
  for (size_t i = 0; i < extents_.size(); ++i) lowest += std::min<int64_t>(distance(column, i), 0);
  return lowest;
}

int64_t Slabs::reach(size_t column) const {
  int64_t reach = 0;
  for (size_t i = 0; i < extents_.size(); ++i) reach += std::abs(distance(column, i));
  return reach;
}

std::vector<int32_t> Slabs::table() const {
  std::vector<int32_t> table(static_cast<size_t>(most_pixels()) * grid_.columns.size());
  for (size_t column = 0; column < grid_.columns.size(); ++column) fill(table, column);
  return table;
}

// Counts through the pixels as an odometer does.
void Slabs::fill(std::vector<int32_t>& table, size_t column) const {
  const Shape& strides = grid_.columns[column].strides;
  std::vector<int64_t> index(extents_.size(), 0);
  int64_t at = -lowest(column);
  for (size_t entry = column; entry < table.size(); entry += grid_.columns.size()) {
    table[entry] = static_cast<int32_t>(at);
    for (size_t i = extents_.size(); i-- > 0;) {
      at += strides[dimension_ + i];
      if (++index[i] < extents_[i]) break;
      at -= strides[dimension_ + i] * extents_[i];
      index[i] = 0;
    }
  }
}

}  // namespace lapis::kernels
