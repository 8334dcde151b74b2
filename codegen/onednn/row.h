// The row of the kernel table that is oneDNN: float convolutions and products with constant weights,
// computed by a primitive of that library.
//
//   onednn_f32 0x0 pixels 4 : conv1        # a line of a schedules file: four calls for the image,
//                                          # tiles as the library likes
//
// The library is loaded when a schedule first names the row. Lapis owns the threads: each call is single-threaded, and
// units are divided as those of all steps. A build without oneDNN (cmake/onednn.cmake) has the row too, which then fits
// nothing and says why.
#pragma once

#include "codegen/kernels/library.h"
#include "codegen/kernels/table.h"

namespace lapis::onednn {

// Whether the library is there and has a primitive for the contraction,
// and what follows its sums is nothing but residuals and bounds.
std::optional<kernels::Misfit> fits(const kernels::Kernel& kernel, const Contraction& c);
int64_t most_splits(const Contraction& c);
Result<kernels::LibraryKernel> bind(const Contraction& c);

inline constexpr kernels::Library kLibrary = {most_splits, bind};

}  // namespace lapis::onednn
