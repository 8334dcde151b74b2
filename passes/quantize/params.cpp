#include "passes/quantize/params.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace lapis {

namespace {

constexpr float kBiasLimit = 1 << 29;     // of a quantized bias: a quarter of the accumulator
constexpr float kSmallestScale = 1e-30f;  // products and quotients of two scales stay normal numbers

// Offset of the channel of element i: i / inner % channels.
struct ChannelAxis {
  ChannelAxis(const Tensor& tensor, int64_t axis) : channels(tensor.dim(axis)) {
    for (int64_t a = axis + 1; a < tensor.rank(); ++a) inner *= tensor.dim(a);
  }
  size_t operator()(int64_t i) const { return static_cast<size_t>(i / inner % channels); }
  int64_t channels, inner = 1;
};

template <class Value> std::vector<float> per_channel_fold(const Tensor& weight, int64_t axis, Value&& fold) {
  const ChannelAxis channel(weight, axis);
  const auto values = weight.data<float>();
  std::vector<float> result(static_cast<size_t>(channel.channels), 0.0f);
  for (size_t i = 0; i < values.size(); ++i) {
    float& r = result[channel(static_cast<int64_t>(i))];
    r = fold(r, std::abs(values[i]));
  }
  return result;
}

std::vector<float> largest_magnitudes(const Tensor& weight, int64_t axis) {
  return per_channel_fold(weight, axis, [](float a, float b) { return std::max(a, b); });
}

// A channel of zeros (pruned away) still has to represent its bias, so its scale comes from there.
float channel_scale(float magnitude, float bias, float data_scale) {
  const float scale = std::max(magnitude / 127, std::abs(bias) / (data_scale * kBiasLimit));
  return scale < kSmallestScale ? 1.0f : scale;
}

std::vector<float> weight_scales(const Tensor& weight, int64_t axis, const Tensor& bias, float data_scale,
                                 bool per_channel) {
  std::vector<float> scales = largest_magnitudes(weight, axis);
  for (size_t c = 0; c < scales.size(); ++c)
    scales[c] = channel_scale(scales[c], bias.defined() ? bias.data<float>()[c] : 0, data_scale);
  if (!per_channel && !scales.empty())
    std::fill(scales.begin(), scales.end(), *std::max_element(scales.begin(), scales.end()));
  return scales;
}

Tensor quantize_bias(const Tensor& bias, const std::vector<float>& scales, float data_scale) {
  Tensor quantized(DType::Int32, bias.shape());
  for (size_t c = 0; c < scales.size(); ++c)
    quantized.mutable_data<int32_t>()[c] =
        static_cast<int32_t>(std::nearbyint(bias.data<float>()[c] / (data_scale * scales[c])));
  return quantized;
}

}  // namespace

QuantParams params_of(Range range, const Scheme& scheme) {
  const IntegerRange integers = integer_range(scheme.type);
  const double low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  const double lowest =
      scheme.symmetric ? -static_cast<double>(integers.highest) : static_cast<double>(integers.lowest);
  const double highest = static_cast<double>(integers.highest);
  const auto scale =
      static_cast<float>(scheme.symmetric ? std::max(-low, high) / highest : (high - low) / (highest - lowest));
  if (!(scale >= kSmallestScale)) return {1, scheme.symmetric ? 0 : static_cast<int32_t>(lowest)};
  if (scheme.symmetric) return {scale, 0};
  const double zero = lowest + std::nearbyint(-static_cast<float>(low) / scale);
  return {scale, static_cast<int32_t>(std::clamp(zero, lowest, highest))};
}

QuantParams uint8_params(Range range) { return params_of(range, {DType::UInt8, false, Granularity::Tensor}); }

QuantizedWeight quantize_weight(const Tensor& weight, int64_t axis, const Tensor& bias, float data_scale,
                                bool per_channel) {
  const std::vector<float> scales = weight_scales(weight, axis, bias, data_scale, per_channel);
  const ChannelAxis channel(weight, axis);
  QuantizedWeight q{
      Tensor(DType::Int8, weight.shape()), Tensor::vector(scales), Tensor(DType::Int8, {channel.channels}), {}};
  const auto from = weight.data<float>();
  const auto to = q.values.mutable_data<int8_t>();
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = static_cast<int8_t>(
        std::clamp(std::nearbyint(from[i] / scales[channel(static_cast<int64_t>(i))]), -127.0f, 127.0f));
  if (bias.defined()) q.bias = quantize_bias(bias, scales, data_scale);
  return q;
}

std::optional<QuantizedWeight> with_bias(const Tensor& values, const Tensor& scales, const Tensor& bias,
                                         float data_scale) {
  const auto numbers = scales.data<float>();
  QuantizedWeight q{values, scales, Tensor(DType::Int8, scales.shape()), {}};
  if (!bias.defined()) return q;
  for (size_t c = 0; c < numbers.size(); ++c)
    if (!(std::abs(bias.data<float>()[c]) <= data_scale * numbers[c] * kBiasLimit)) return std::nullopt;
  q.bias = quantize_bias(bias, {numbers.begin(), numbers.end()}, data_scale);
  return q;
}

bool fits_accumulator(const Tensor& weight, int64_t axis) {
  const std::vector<float> largest = largest_magnitudes(weight, axis);
  const std::vector<float> sums = per_channel_fold(weight, axis, [](float a, float b) { return a + b; });
  const int64_t depth = weight.size() / std::max<int64_t>(weight.dim(axis), 1);
  for (size_t c = 0; c < sums.size(); ++c) {
    const double units = largest[c] == 0 ? 0
                                         : static_cast<double>(sums[c]) / largest[c] * 127 +
                                               static_cast<double>(depth) / 2;  // rounding adds up to 1/2 each
    if (units * 255 + kBiasLimit > static_cast<double>(INT32_MAX)) return false;
  }
  return true;
}

}  // namespace lapis
