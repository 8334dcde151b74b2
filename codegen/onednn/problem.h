// A contraction in the terms of oneDNN: a convolution of dense channels-last images, or a product of matrices, and what
// is done to its results afterwards. Nothing here needs the library.
//
//   const Reading reading = read(c);
//   if (reading.misfit) ...                    // why there are no such terms
//   use(reading.problem.rows);
#pragma once

#include "codegen/kernels/slabs.h"
#include "codegen/kernels/table.h"

namespace lapis::onednn {

// What follows the sums, by Lapis, behind each call: the library's own bounds turn NaN into a number.
struct Finish {
  // An operand of pixels or channels; bounds as Op::AtLeast and Op::AtMost.
  enum class Kind : uint8_t { Add, AtLeast, AtMost };
  Kind kind;
  int operand = -1;  // of the contraction
  float bound = 0;
};

struct Problem {
  bool convolution = false;  // else a product
  // Of the results: pixel (image, row, column) has the number (image * rows + row) * columns + column.
  // A product has rows only.
  int64_t images = 1, rows = 1, columns = 1;
  int64_t channels = 0, groups = 1, depth = 0;  // results over all groups; summed per group and tap
  int64_t pitch = 0;                            // of a product: floats from one row of the left matrix to the next
  int64_t image_columns = 0;                    // of a convolution: pixels in a row of the image, halo included
  int64_t kernel_rows = 1, kernel_columns = 1, row_stride = 1, column_stride = 1, row_dilation = 1, column_dilation = 1;
  bool dense = false;  // results lie behind each other, so that they may be written where they belong
  std::vector<Finish> finish;

  // Pixels of the image that one row of results needs.
  int64_t needed_columns() const { return (columns - 1) * column_stride + (kernel_columns - 1) * column_dilation + 1; }
  // The rows of an image in pieces of one call each.
  kernels::Tiles pieces(int64_t splits) const {
    return kernels::balanced_tiles(rows, static_cast<int>((rows + splits - 1) / splits));
  }
};

struct Reading {
  Problem problem;
  std::optional<kernels::Misfit> misfit;
};
Reading read(const Contraction& c);

}  // namespace lapis::onednn
