// How a Loop is walked: dimensions dropped, merged and ordered, one of them spread over vector lanes, others jammed
// into register tiles, the outermost ones cut into work units. Pure arithmetic, no LLVM: tests read it directly.
#pragma once

#include "codegen/plan.h"

namespace lapis::llvm_backend {

struct Dimension {
  int64_t extent = 1;
  bool inner = false;          // of the reduced space
  int source = -1;             // the Loop dimension whose index this is; -1 once several are merged
  std::vector<int64_t> bytes;  // stride of each view
  std::vector<int> sources;    // the Loop dimensions that were merged, outermost first
  bool free = false;           // the extent comes from the block; so do these strides
  std::vector<bool> free_bytes;
  int64_t split = 0, scale = 1;  // of a dimension of this extent, if not 0: strides are `scale` times its own
};

struct Nest {
  std::vector<Dimension> outer;  // outermost first; without the lane dimension
  std::vector<Dimension> inner;
  Dimension lane;           // extent 1 if nothing is worth a vector
  bool lane_inner = false;  // lanes are partial accumulators of one result instead of W results
  int width = 1;            // elements per vector
  int vectors = 1;          // vectors of the lane dimension per tile
  int jam = 1;              // rows of the last outer dimension per tile
  // Views whose elements lie across the lanes: squares of them are turned in registers. They lie along the last outer
  // dimension (then jam = width), or along the only inner one (turned_inner: that loop goes in steps of `width`).
  std::vector<int> transposed;
  bool turned_inner = false;

  // Rows are the points of outer[0 .. partitioned), times the chunks of an outer lane
  // dimension. A unit is `rows_per_unit` rows.
  size_t partitioned = 0;
  int64_t chunk = 0;  // lane elements per row; 0: the lane dimension is not cut
  int64_t rows = 1, rows_per_unit = 1, units = 1;

  bool free_chunks() const { return chunk != 0 && lane.free; }  // come from the block
  int64_t chunks() const { return chunk ? (lane.extent + chunk - 1) / chunk : 1; }
};

// A loop with a form is walked as the form would be, wherever that can be; then what varies is free.
Nest plan_nest(const Loop& loop, int vector_bytes);

// Calls visit(dimension) for all of a nest, in the order of the block.
template <class Visit> void for_each_dimension(const Nest& nest, Visit visit) {
  for (const auto* list : {&nest.outer, &nest.inner})
    for (const Dimension& d : *list) visit(d);
  visit(nest.lane);
}

}  // namespace lapis::llvm_backend
