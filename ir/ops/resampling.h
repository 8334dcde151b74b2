// Resize as tables: the elements of an axis that each output mixes, and their weights. This is the one place for sizes
// and coordinates; the reference evaluator and generated code walk through the same tables in the same order, so that
// they give the same bits.
//
//   [1, 2] to twice its size, linear, half_pixel: in 2, out 4, taps 2,
//   elements {0,0, 0,1, 0,1, 1,1}, weights {.25,.75, .75,.25, ...}
#pragma once

#include "base/tensor.h"
#include "ir/dim.h"
#include "ir/ops/attributes.h"
#include "ir/type.h"

namespace lapis::ops {

// Whether a region of interest is cut out first.
bool crops(const ResizeAttrs& a);
// The axes that roi, scales and sizes speak of, in their order.
std::vector<int64_t> axes_to_resize(const ResizeAttrs& a, int64_t rank);
// Dims of the result; unknown where scales or sizes leave them open. One scale or size for each of the axes.
void apply_scales(Dims& dims, const std::vector<int64_t>& axes, const Tensor& scales);
void apply_sizes(Dims& dims, const std::vector<int64_t>& axes, const Dims& sizes, const std::string& policy);

// Null: not given. Exactly one of scales and sizes is.
struct ResizeOperands {
  const Tensor *roi = nullptr, *scales = nullptr, *sizes = nullptr;
};

struct ResizedAxis {
  int64_t in = 0, out = 0;    // out: -1 if no tensor can be that large
  double scale = 1;           // as given, or out / in
  bool by_sizes = true;       // then out / in is exact and the scale is not
  double start = 0, end = 1;  // of the region of interest
  bool changes(const ResizeAttrs& a) const;
};
// All axes of a tensor of shape `x`.
std::vector<ResizedAxis> resized_axes(const ResizeAttrs& a, const Shape& x, const ResizeOperands& operands);

// Output i of the axis is the sum of weights[i * taps + t] * element elements[i * taps + t] over the taps t,
// from the first on, in double.
struct ResampledAxis {
  int64_t axis = 0, in = 0, out = 0, taps = 0;
  std::vector<int64_t> elements;  // in [0, in)
  std::vector<double> weights;    // empty: its only element as it is
  std::vector<bool> outside;      // where the extrapolation value stands instead; empty: nowhere
};
// Those that change, to be resampled one after the other.
// No axis has an extent of -1, or elements where there are none.
std::vector<ResampledAxis> resampled_axes(const ResizeAttrs& a, const std::vector<ResizedAxis>& axes);

}  // namespace lapis::ops
