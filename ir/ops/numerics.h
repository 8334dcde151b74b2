// The rounding and scaling that all integer operators share, in exactly this order; kernels are compared with it byte
// for byte.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/tensor.h"

namespace lapis::ops {

// saturate(rne(x) + zero_point); NaN gives the lowest value.
inline int64_t quantize(float x, int64_t zero_point, IntegerRange range) {
  const double y = static_cast<double>(std::nearbyint(x)) + static_cast<double>(zero_point);
  if (!(y > static_cast<double>(range.lowest))) return range.lowest;
  return y >= static_cast<double>(range.highest) ? range.highest : static_cast<int64_t>(y);
}

// What turns an int32 accumulator of x * w into units of y.
inline float requantize_multiplier(float x_scale, float w_scale, float y_scale) {
  return (x_scale * w_scale) / y_scale;
}

inline int64_t requantize(int32_t accumulator, float multiplier, int64_t zero_point, IntegerRange range) {
  return quantize(static_cast<float>(accumulator) * multiplier, zero_point, range);
}

// Parameter tensors hold one value for all channels or one per channel.
inline float scale_of(const Tensor& scales, int64_t channel) {
  return static_cast<float>(scales.as_double(scales.size() == 1 ? 0 : channel));
}
inline int64_t zero_point_of(const Tensor* zero_points, int64_t channel) {
  return zero_points ? zero_points->as_int(zero_points->size() == 1 ? 0 : channel) : 0;
}

}  // namespace lapis::ops
