// Positions that gather operators read and scatter operators write.
#pragma once

#include "ir/ops/movement.h"

namespace lapis::ops {

// Index values as positions in [0, size): negative ones count from the end, others are an error.
Result<std::vector<int64_t>> checked_positions(const EvalContext& c, const Tensor& indices, int64_t size);

// For each element of `indices` the flat position in data: its own coordinates, but along `axis` its value.
Result<std::vector<int64_t>> element_positions(const EvalContext& c, const lapis::Shape& data, const Tensor& indices,
                                               int64_t axis);

// The last axis of `indices` addresses slices of data (within the batch of the leading axes): the flat positions of all
// their elements.
struct Targets {
  lapis::Shape shape;
  std::vector<int64_t> positions;
};
Result<Targets> slice_positions(const EvalContext& c, const lapis::Shape& data, const Tensor& indices,
                                int64_t batch_dims);

}  // namespace lapis::ops
