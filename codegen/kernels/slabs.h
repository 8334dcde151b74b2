// Slabs: the pixels of a contraction in pieces that read one table of addresses. Addresses are affine in the indices of
// the grid of pixels, so a piece of its inner dimensions looks the same wherever it begins: the table has one, and each
// work unit says where its own lies.
//
//   a grid of 256 x 256 x 256 is 1024 slabs of 64 x 256 pixels: a table of 16384 rows instead of 16 million
#pragma once

#include "codegen/plan.h"

namespace lapis::kernels {

// Pixels in tiles: `big` of `mr`, then `small` of mr - 1.
struct Tiles {
  int mr = 0;
  int64_t big = 0, small = 0;
  int64_t count() const { return big + small; }
  int64_t first_pixel(int64_t tile) const { return tile <= big ? tile * mr : big * mr + (tile - big) * (mr - 1); }
};
// As few as possible and as even as possible.
Tiles balanced_tiles(int64_t pixels, int max_mr);
// Of just that size; there must be enough pixels for it.
Tiles tiles_of(int64_t pixels, int mr);

// Pixels that the same weights are for: whole dimensions of the grid, behind those of the batches.
inline int64_t pixels_of_batch(const Contraction& c) { return c.pixels / c.batches(); }

class Slabs {
 public:
  explicit Slabs(const Contraction& c);

  int64_t of_batch() const { return outer_ * cut_.count(); }
  int64_t most_pixels() const { return pixels_of(0); }  // rows of the table
  int64_t pixels_of(int64_t slab) const { return (slab % cut_.count() < cut_.big ? cut_.mr : cut_.mr - 1) * inner_; }
  // Where the entries of the table count from, for a slab of all batches: bytes from the start of the column's buffer.
  int64_t base(size_t column, int64_t slab) const;
  // The highest entry of a column; the lowest is 0.
  int64_t reach(size_t column) const;
  // [most_pixels][columns]
  std::vector<int32_t> table() const;

 private:
  void fill(std::vector<int32_t>& table, size_t column) const;
  int64_t lowest(size_t column) const;
  // From the first pixel of the table to the last, along dimension `i` of its extents.
  int64_t distance(size_t column, size_t i) const;

  const PixelGrid& grid_;
  size_t dimension_;    // the first of the table; if one is cut, it is that
  Shape extents_;       // of the table
  int64_t inner_ = 1;   // pixels of a row: what is never cut
  int64_t outer_ = 1;   // sweeps of the rows in a batch
  int64_t sweep_ = 1;   // pixels of one
  Tiles cut_{1, 1, 0};  // rows into slabs
};

}  // namespace lapis::kernels
