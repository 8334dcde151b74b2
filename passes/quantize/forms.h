// Reading quantized graphs: what a DequantizeLinear or QuantizeLinear with constant parameters says.
#pragma once

#include <optional>

#include "ir/rewrite.h"
#include "passes/quantize/calibrate.h"

namespace lapis {

// One scale and one zero point for a whole tensor of 8-bit integers.
struct TensorScale {
  Value* scale = nullptr;  // constants; zero_point is null if left out
  Value* zero_point = nullptr;
  float s = 1;
  int64_t zero = 0;
  DType dtype = DType::UInt8;  // of the integers
  bool operator==(const TensorScale& other) const { return s == other.s && zero == other.zero && dtype == other.dtype; }
};

struct Dequantized {
  Value* bytes = nullptr;
  TensorScale scale;
};
// v = DequantizeLinear(bytes) with one scale for all, or nullopt.
std::optional<Dequantized> dequantized(const Value* v);

// The same of a scale that is computed, one number, and a constant zero point: `s` says nothing then.
std::optional<Dequantized> dequantized_by_computed_scale(const Value* v);

struct Quantizer {
  Value* real = nullptr;
  TensorScale scale;
};
// y = QuantizeLinear(real) with one scale for all, or nullopt.
std::optional<Quantizer> quantizer(const Value& y);

// Constant 8-bit weights, brought to int8 with zero point 0, and one scale or one per output channel.
struct IntegerWeight {
  Tensor values, scales;
};
// v = DequantizeLinear(constant) along `axis`. Else why not.
Result<IntegerWeight> integer_weight(const Value* v, int64_t axis);
// 8-bit weights minus their zero points (one, or one per channel along `axis`; undefined: 0) as int8. nullopt if they
// do not fit.
std::optional<Tensor> centered_int8(const Tensor& values, const Tensor& zero_points, int64_t axis);

// sx * sw for each output channel (or one), in float32.
Tensor accumulator_scales(float data_scale, const Tensor& weight_scales);

// A bias in units of the accumulator, int32[channels]. Exact where it is a DequantizeLinear of int32 at just that
// scale, rounded otherwise. nullopt if it is not constant, not finite as floats, has another shape, or does not fit.
std::optional<Tensor> integer_bias(const Value* bias, const Tensor& scales, int64_t channels);
// By how much a bias in units of the accumulator is off at most, and how large the bias is at most.
struct BiasError {
  double error = 0, largest = 0;
};
BiasError bias_error(const Value* bias, const Tensor& units, const Tensor& scales);

// Bounds of the Relu and Clip nodes between a value and the operator behind them, each used once; `real` moves up to
// the latter.
Range strip_activations(Value*& real);
// The integers that a range of real values is quantized to.
struct ByteRange {
  int64_t lowest, highest;
};
ByteRange quantized_bounds(Range bounds, const TensorScale& scale);

// The zero point as a constant, made if it was left out.
Value* zero_point_of(const TensorScale& scale, Rewriter& rw);
// The same as a scalar, whatever shape the model gave it:
// beside scales that are scalars, and as a parameter of integer sums.
Value* scalar_zero_point(const TensorScale& scale, Rewriter& rw);

}  // namespace lapis
