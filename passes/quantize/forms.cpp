#include "passes/quantize/forms.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"
#include "passes/simplify/facts.h"

namespace lapis {

namespace {

bool is_one_number(const Value* v) { return v && v->is_constant() && v->constant().size() == 1; }

// Operands 1 and 2 of Quantize- and DequantizeLinear.
std::optional<TensorScale> tensor_scale(const Node& node, DType dtype) {
  Value *scale = node.input(1), *zero = node.input(2);
  if (!is_quantized_storage(dtype) || !is_one_number(scale) || scale->dtype() != DType::Float32 ||
      (zero && !is_one_number(zero)))
    return std::nullopt;
  const float s = scale->constant().data<float>()[0];
  // A negative scale would turn the order of values around; one at the edges of float dequantizes to infinity, or to
  // less digits than there are bytes.
  if (!(s > 0) || !std::isnormal(s) || !std::isfinite(s * 255)) return std::nullopt;
  return TensorScale{scale, zero, s, zero ? zero->constant().as_int(0) : 0, dtype};
}

Diagnostic refuse(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

// Element i along an axis belongs to channel i / inner % channels.
struct ChannelOf {
  ChannelOf(const Tensor& t, int64_t axis) : channels(t.dim(axis)) {
    for (int64_t a = axis + 1; a < t.rank(); ++a) inner *= t.dim(a);
  }
  int64_t channels, inner = 1;
};

bool is_int32_bias(const Value* bias) {
  const Node* node = bias->producer();
  return node && node->is(ops::DequantizeLinear) && node->input(0)->is_constant() &&
         node->input(0)->dtype() == DType::Int32 && node->input(1)->is_constant() &&
         (!node->input(2) ||
          (node->input(2)->is_constant() && node->attrs<ops::DequantizeLinearAttrs>().block_size == 0));
}

// The bias as float, whatever it is computed from.
std::optional<Tensor> constant_bias(const Value* bias) {
  if (bias->is_constant()) return bias->dtype() == DType::Float32 ? std::optional(bias->constant()) : std::nullopt;
  const Node* node = bias->producer();
  if (!node || !node->is(ops::DequantizeLinear)) return std::nullopt;
  std::vector<Tensor> operands;
  for (const Value* v : node->inputs()) {
    if (v && !v->is_constant()) return std::nullopt;
    operands.push_back(v ? v->constant() : Tensor());
  }
  Result<Tensor> value = evaluate_op(ops::DequantizeLinear, operands, node->attributes());
  return value.ok() ? std::optional(*std::move(value)) : std::nullopt;
}

float scale_at(const Tensor& scales, int64_t channel) {
  return scales.data<float>()[scales.size() == 1 ? 0 : static_cast<size_t>(channel)];
}

// The int32 values as they are, if their scale is that of the accumulator.
std::optional<Tensor> exact_bias(const Value* bias, const Tensor& scales, int64_t channels) {
  if (!is_int32_bias(bias)) return std::nullopt;
  const Node& node = *bias->producer();
  const Tensor &values = node.input(0)->constant(), &own = node.input(1)->constant();
  const bool zero_free = !node.input(2) || ops::zero_point_of(&node.input(2)->constant(), 0) == 0;
  const bool per_channel = values.size() == channels && (channels == 1 || values.dim(-1) == channels);
  if (!zero_free || own.dtype() != DType::Float32 || !per_channel || (own.size() != 1 && own.size() != channels))
    return std::nullopt;
  for (int64_t c = 0; c < channels; ++c)
    if (scale_at(own, c) != scale_at(scales, c)) return std::nullopt;
  return values.reshaped({channels});
}

}  // namespace

std::optional<Dequantized> dequantized(const Value* v) {
  const Node* node = v ? v->producer() : nullptr;
  if (!node || !node->is(ops::DequantizeLinear) || v->dtype() != DType::Float32) return std::nullopt;
  const auto scale = tensor_scale(*node, node->input(0)->dtype());
  return scale ? std::optional(Dequantized{node->input(0), *scale}) : std::nullopt;
}

std::optional<Dequantized> dequantized_by_computed_scale(const Value* v) {
  const Node* node = v ? v->producer() : nullptr;
  if (!node || !node->is(ops::DequantizeLinear) || v->dtype() != DType::Float32) return std::nullopt;
  Value *bytes = node->input(0), *scale = node->input(1), *zero = node->input(2);
  const bool is_one = scale->type().ranked() && scale->type().rank() == 0 && scale->dtype() == DType::Float32;
  if (!is_quantized_storage(bytes->dtype()) || scale->is_constant() || !is_one || (zero && !is_one_number(zero)))
    return std::nullopt;
  return Dequantized{bytes, {scale, zero, 1, zero ? zero->constant().as_int(0) : 0, bytes->dtype()}};
}

std::optional<Quantizer> quantizer(const Value& y) {
  const Node* node = y.producer();
  if (!node || !node->is(ops::QuantizeLinear) || node->input(0)->dtype() != DType::Float32) return std::nullopt;
  const auto precision = static_cast<DType>(node->attrs<ops::QuantizeLinearAttrs>().precision);
  if ((precision == DType::Undefined ? node->input(1)->dtype() : precision) != DType::Float32) return std::nullopt;
  const auto scale = tensor_scale(*node, y.dtype());
  return scale ? std::optional(Quantizer{node->input(0), *scale}) : std::nullopt;
}

// to = from - zeros of its channel; false if that does not fit somewhere.
template <class T>
static bool center(std::span<const T> from, const ChannelOf& channel, const std::vector<int64_t>& zeros,
                   std::span<int8_t> to) {
  bool fits = true;
  for (size_t i = 0; i < from.size();)
    for (int64_t c = 0; c < channel.channels; ++c)
      for (int64_t k = 0; k < channel.inner; ++k, ++i) {
        const int64_t v = static_cast<int64_t>(from[i]) - zeros[static_cast<size_t>(c)];
        fits &= v >= -128 && v <= 127;
        to[i] = static_cast<int8_t>(v);
      }
  return fits;
}

std::optional<Tensor> centered_int8(const Tensor& values, const Tensor& zero_points, int64_t axis) {
  if (values.dtype() == DType::Int8 && !zero_points.defined()) return values;
  const ChannelOf channel(values, axis);
  if (zero_points.defined() && zero_points.size() != 1 && zero_points.size() != channel.channels) return std::nullopt;
  std::vector<int64_t> zeros(static_cast<size_t>(channel.channels));
  for (int64_t c = 0; c < channel.channels; ++c)
    zeros[static_cast<size_t>(c)] = ops::zero_point_of(zero_points.defined() ? &zero_points : nullptr, c);
  if (values.dtype() == DType::Int8 && std::count(zeros.begin(), zeros.end(), 0) == channel.channels) return values;
  Tensor centered(DType::Int8, values.shape());
  bool fits = false;
  visit_dtype(values.dtype(), [&](auto tag) {
    if constexpr (std::is_integral_v<decltype(tag)>)
      fits = center(values.data<decltype(tag)>(), channel, zeros, centered.mutable_data<int8_t>());
  });
  return fits ? std::optional(std::move(centered)) : std::nullopt;
}

static bool has_constant_scale(const Node& dequantize) {
  const Value *scale = dequantize.input(1), *zero_point = dequantize.input(2);
  return scale->is_constant() && scale->dtype() == DType::Float32 && (!zero_point || zero_point->is_constant());
}

Result<IntegerWeight> integer_weight(const Value* v, int64_t axis) {
  const Node* node = v ? v->producer() : nullptr;
  if (!node || !node->is(ops::DequantizeLinear) || !node->input(0)->is_constant())
    return refuse("its weights are not 8-bit constants");
  const Tensor& values = node->input(0)->constant();
  if (!is_quantized_storage(values.dtype())) return refuse("its weights are " + std::string(name_of(values.dtype())));
  if (!has_constant_scale(*node)) return refuse("scale or zero point of its weights is not a float32 constant");
  const Tensor& scales = node->input(1)->constant();
  const auto a = node->attrs<ops::DequantizeLinearAttrs>();
  const int64_t own_axis = a.axis < 0 ? a.axis + values.rank() : a.axis;
  if (scales.size() != 1 && (a.block_size != 0 || own_axis != axis || scales.size() != values.dim(axis)))
    return refuse("its weights are not quantized along the output channels");
  const auto centered =
      centered_int8(values, node->input(2) ? node->input(2)->constant() : Tensor(), scales.size() == 1 ? 0 : axis);
  if (!centered) return refuse("its weights minus their zero points do not fit int8");
  return IntegerWeight{*centered, scales.reshaped({scales.size()})};
}

Tensor accumulator_scales(float data_scale, const Tensor& weight_scales) {
  Tensor scales = weight_scales;
  for (float& s : scales.mutable_data<float>()) s = data_scale * s;
  return scales;
}

std::optional<Tensor> integer_bias(const Value* bias, const Tensor& scales, int64_t channels) {
  const auto real = constant_bias(bias);
  if (!real || !facts::is_finite(*real)) return std::nullopt;  // an infinite sum stays infinite, whatever its terms
  if (auto exact = exact_bias(bias, scales, channels)) return exact;
  if (real->size() != 1 && (real->size() != channels || real->dim(-1) != channels)) return std::nullopt;
  Tensor rounded(DType::Int32, {channels});
  for (int64_t c = 0; c < channels; ++c) {
    const double units = std::nearbyint(real->as_double(real->size() == 1 ? 0 : c) / scale_at(scales, c));
    if (!(std::abs(units) <= static_cast<double>(INT32_MAX) / 2)) return std::nullopt;
    rounded.mutable_data<int32_t>()[static_cast<size_t>(c)] = static_cast<int32_t>(units);
  }
  return rounded;
}

BiasError bias_error(const Value* bias, const Tensor& units, const Tensor& scales) {
  const auto real = constant_bias(bias);
  BiasError result;
  for (int64_t c = 0; real && c < units.size(); ++c) {
    const double exact = real->as_double(real->size() == 1 ? 0 : c);
    result.error = std::max(result.error, std::abs(units.as_double(c) * scale_at(scales, c) - exact));
    result.largest = std::max(result.largest, std::abs(exact));
  }
  return result;
}

Range strip_activations(Value*& real) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Range bounds{-kInfinity, kInfinity};
  while (real->producer() && real->used_once()) {
    const auto inner = activation_bounds(*real->producer());
    if (!inner) break;
    bounds = {std::clamp(inner->low, bounds.low, bounds.high), std::clamp(inner->high, bounds.low, bounds.high)};
    real = real->producer()->input(0);
  }
  return bounds;
}

ByteRange quantized_bounds(Range bounds, const TensorScale& scale) {
  const IntegerRange range = integer_range(scale.dtype);
  return {ops::quantize(bounds.low / scale.s, scale.zero, range),
          ops::quantize(bounds.high / scale.s, scale.zero, range)};
}

// Of the scale's shape where it has to be made: they may stand side by side in a QuantizeLinear.
Value* zero_point_of(const TensorScale& scale, Rewriter& rw) {
  return scale.zero_point ? scale.zero_point
                          : rw.constant(Tensor(scale.dtype, scale.scale ? scale.scale->constant().shape() : Shape{}));
}

Value* scalar_zero_point(const TensorScale& scale, Rewriter& rw) { return rw.reshape(zero_point_of(scale, rw), {}); }

}  // namespace lapis
