// From ranges and weights to scales and zero points.
#pragma once

#include <cstdint>
#include <optional>

#include "base/tensor.h"
#include "ir/quant.h"
#include "passes/quantize/histogram.h"

namespace lapis {

struct QuantParams {
  float scale = 1;
  int32_t zero_point = 0;
};

// Asymmetric uint8. The range is widened to hold 0, so that 0 (padding, Relu) is exact; a range without extent gets
// scale 1.
QuantParams uint8_params(Range range);
// The same for another type: asymmetric, or symmetric with the lowest integer left out.
QuantParams params_of(Range range, const Scheme& scheme);

struct QuantizedWeight {
  Tensor values;       // int8 in [-127, 127], the weight's shape
  Tensor scales;       // float[channels]
  Tensor zero_points;  // int8[channels], all 0
  Tensor bias;         // int32[channels] in units of data scale * weight scale; undefined without a bias
};

// Symmetric int8 along `axis` (per_channel) or with one scale for all channels. The scales are wide enough for the bias
// to fit int32 with room for the sum of products. `bias` is undefined or float[channels].
QuantizedWeight quantize_weight(const Tensor& weight, int64_t axis, const Tensor& bias, float data_scale,
                                bool per_channel);

// Integers and scales that are given, with the bias in their units; nullopt if it does not fit.
std::optional<QuantizedWeight> with_bias(const Tensor& values, const Tensor& scales, const Tensor& bias,
                                         float data_scale);

// True if no uint8 data can make an int32 accumulator of `weight` (with a bias from quantize_weight) overflow.
bool fits_accumulator(const Tensor& weight, int64_t axis);

}  // namespace lapis
