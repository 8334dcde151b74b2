// What loops over rows share: the domain of a reduction, the type that it accumulates in, and how its result is stored.
#pragma once

#include "codegen/lower/loop_builder.h"

namespace lapis::codegen {

// Domain of a reduction of `shape` over `axes`: the kept axes, then the reduced ones.
// Results have 1s or nothing at reduced axes.
struct Reducing {
  Reducing(const Shape& shape, const std::vector<bool>& reduce);
  int64_t inner_size() const;
  Shape domain;
  int reduced = 0;
  Mapping inner, outer;  // outer: values shaped like the result with 1s at the reduced axes
};

// Which of `rank` axes are listed; all of them if none is.
std::vector<bool> axis_mask(const std::vector<int64_t>& axes, int64_t rank);

// Applies the region's chain to a row's `result`, stores it and emits the loop.
void finish_rows(Lowering& l, const FusedRegion& region, LoopBuilder& b, int result, const Reducing& r);

// What elements are accumulated in: halves in float, integers in their own type, where they wrap.
DType accumulator(DType type);
// Integer sums that something else is made of, a mean or a root: they may not wrap earlier than 64 bits do.
DType wide_accumulator(DType type);

}  // namespace lapis::codegen
