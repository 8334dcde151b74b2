// QuantizeLinear, DequantizeLinear (per tensor, per axis, blocked) and DynamicQuantizeLinear.
#include <algorithm>
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kIntegerStorage =
    types(DType::Int8, DType::UInt8, DType::Int16, DType::UInt16, DType::Int4, DType::UInt4, DType::Int2, DType::UInt2);
constexpr TypeSet kFloatStorage =
    types(DType::Float8E4M3FN, DType::Float8E4M3FNUZ, DType::Float8E5M2, DType::Float8E5M2FNUZ, DType::Float4E2M1);
constexpr TypeSet kDivisions = types(DType::Float32, DType::Float16, DType::BFloat16);
constexpr TypeSet kStorage = kIntegerStorage | kFloatStorage;
constexpr TypeSet kScale = types(DType::Float32, DType::Float16, DType::BFloat16);

// One value for the whole tensor, as a scalar or, as quantizers of ONNX models also write it, a vector of one.
bool is_one_value(const Type& t) { return t.rank() == 0 || (t.rank() == 1 && t.dim(0).is(1)); }

Status check_zero_point(const InferContext& c) {
  const Type& scale = c.in(1);
  if (!c.has(2) || !c.in(2).ranked() || !scale.ranked() || (is_one_value(scale) && is_one_value(c.in(2)))) return ok();
  if (merge(Type::tensor(scale.dtype, c.in(2).dims), scale)) return ok();
  return c.error("scale " + scale.to_string() + " and zero point " + c.in(2).to_string() + " need the same shape");
}

// One value a slice.
Status check_slices(const InferContext& c, int64_t axis) {
  const Type &x = c.in(0), &scale = c.in(1);
  if (scale.rank() != 1)
    return c.error("scale " + scale.to_string() + " must be a scalar or a vector, or block_size must be given");
  if (differ(scale.dim(0), x.dim(axis)))
    return c.error("scale has " + scale.dim(0).to_string() + " values but axis " + std::to_string(axis) + " of " +
                   x.to_string() + " has " + x.dim(axis).to_string());
  return ok();
}

// One value a block.
Status check_blocks(const InferContext& c, int64_t axis, int64_t block_size) {
  const Type &x = c.in(0), &scale = c.in(1);
  if (scale.rank() != x.rank())
    return c.error("scale " + scale.to_string() + " of blocks needs the rank of " + x.to_string());
  for (int64_t other = 0; other < x.rank(); ++other)
    if (other != axis && differ(x.dim(other), scale.dim(other)))
      return c.error("scale " + scale.to_string() + " of blocks must have the shape of " + x.to_string() +
                     " but for axis " + std::to_string(axis));
  const Dim blocks = ceil_div(x.dim(axis), block_size);
  if (differ(blocks, scale.dim(axis)))
    return c.error("axis " + std::to_string(axis) + " needs " + blocks.to_string() + " blocks of " +
                   std::to_string(block_size) + ", scale has " + scale.dim(axis).to_string());
  return ok();
}

// Scale and zero point must be one value, one a slice along the axis, or one a block along the axis.
Status check_parameters(const InferContext& c, int64_t axis, int64_t block_size) {
  const Type &x = c.in(0), &scale = c.in(1);
  LAPIS_CHECK(check_zero_point(c));
  if (!x.ranked() || !scale.ranked() || scale.rank() == 0) return ok();
  if (block_size < 0) return c.error("block_size is " + std::to_string(block_size));
  if (block_size == 0 && is_one_value(scale)) return ok();
  LAPIS_TRY(axis, c.axis(axis, x.rank()));
  return block_size == 0 ? check_slices(c, axis) : check_blocks(c, axis, block_size);
}

// Which scale belongs to an element.
class ParameterIndex {
 public:
  ParameterIndex(const Tensor& x, const Tensor& scale, int64_t axis, int64_t block_size)
      : single_(scale.size() == 1),
        block_(std::clamp<int64_t>(block_size, 1, std::max<int64_t>(x.size(), 1))),
        blocked_(block_size > 0),
        view_(single_ ? AxisView(Shape{1}, 0) : AxisView(x.shape(), normalized(axis, x.rank()))) {}

  size_t operator()(size_t element) const {
    if (single_) return 0;
    const auto i = static_cast<int64_t>(element);
    const int64_t at = i / view_.inner % view_.extent;
    if (!blocked_) return static_cast<size_t>(at);
    const int64_t blocks = (view_.extent + block_ - 1) / block_;
    return static_cast<size_t>((i / (view_.inner * view_.extent) * blocks + at / block_) * view_.inner +
                               i % view_.inner);
  }

 private:
  bool single_;
  int64_t block_;
  bool blocked_;
  AxisView view_;
};

// Floating point storage has a zero of its own; ONNX lets models state it as zero point, and nothing else.
Status check_float_zero_point(const EvalContext& c) {
  if (!c.has(2) || !is_float(c.in(2).dtype())) return ok();
  for (const double zero : to_doubles(c.in(2)))
    if (zero != 0) return c.error("the zero point of " + std::string(name_of(c.in(2).dtype())) + " must be 0");
  return ok();
}

std::vector<int64_t> zero_points(const EvalContext& c) {
  return c.has(2) ? to_integers(c.in(2)) : std::vector<int64_t>(static_cast<size_t>(c.in(1).size()), 0);
}

// The type that x / scale is computed in; an integer scale is as good as a float.
DType division_type(const QuantizeLinearAttrs& a, DType scale) {
  const DType type = a.precision ? dtype_of_number(a.precision) : scale;
  return allows(kDivisions, type) ? type : DType::Float32;
}

// Both operands and the quotient rounded to `type`:
// of halves a quotient of floats rounds as if there had been no float between.
float divided(double x, double scale, DType type) {
  const auto rounded = [&](double value) {
    const auto f = static_cast<float>(value);
    return type == DType::Float16 ? to_float(to_float16(f)) : type == DType::BFloat16 ? to_float(to_bfloat16(f)) : f;
  };
  return rounded(rounded(x) / rounded(scale));
}

// ---- QuantizeLinear -----------------------------------------------------------------------------------------------

DType quantized_dtype(const QuantizeLinearAttrs& a, const Type* zero_point) {
  if (zero_point) return zero_point->dtype;
  return a.output_dtype ? dtype_of_number(a.output_dtype) : DType::UInt8;
}

Result<Types> infer_quantize(const InferContext& c) {
  const QuantizeLinearAttrs a = c.attrs<QuantizeLinearAttrs>();
  LAPIS_CHECK(check_parameters(c, a.axis, a.block_size));
  const DType dtype = quantized_dtype(a, c.has(2) ? &c.in(2) : nullptr);
  if (a.output_dtype && dtype_of_number(a.output_dtype) != dtype)
    return c.error("output_dtype contradicts the zero point's type " + std::string(name_of(dtype)));
  if (!allows(kStorage, dtype))
    return c.unsupported("quantizing to " + std::string(name_of(dtype)) + " is not supported")
        .help("use a zero point of an integer of 2 to 16 bits or of a float of 4 or 8 bits");
  if (a.precision != 0 && !allows(kDivisions, dtype_of_number(a.precision)))
    return c.unsupported("division in " + std::string(name_of(dtype_of_number(a.precision))) + " is not supported")
        .help("leave out the attribute precision");
  return Types{Type::tensor(dtype, c.in(0).dims)};
}

// saturate(x / scale) in floating point storage.
Status quantize_to_float(EvalContext& c, DType dtype, const QuantizeLinearAttrs& a) {
  LAPIS_CHECK(check_float_zero_point(c));
  const ParameterIndex parameter(c.in(0), c.in(1), a.axis, a.block_size);
  std::vector<double> values = to_doubles(c.in(0));
  const std::vector<double> scales = to_doubles(c.in(1));
  const DType division = division_type(a, c.in(1).dtype());
  for (size_t i = 0; i < values.size(); ++i) values[i] = divided(values[i], scales[parameter(i)], division);
  c.set_out(0, from_doubles(dtype, c.in(0).shape(), values, {a.saturate, ScaleRounding::Up}));
  return ok();
}

Status evaluate_quantize(EvalContext& c) {
  const QuantizeLinearAttrs a = c.attrs<QuantizeLinearAttrs>();
  const Tensor& x = c.in(0);
  const Type zero_type = c.has(2) ? Type::of(c.in(2)) : Type();
  const DType dtype = quantized_dtype(a, c.has(2) ? &zero_type : nullptr);
  if (is_float(dtype)) return quantize_to_float(c, dtype, a);
  const IntegerRange range = integer_range(dtype);
  const ParameterIndex parameter(x, c.in(1), a.axis, a.block_size);
  const std::vector<double> values = to_doubles(x), scales = to_doubles(c.in(1));
  const std::vector<int64_t> zeros = zero_points(c);
  const DType division = division_type(a, c.in(1).dtype());
  std::vector<int64_t> y(values.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t p = parameter(i);
    y[i] = quantize(divided(values[i], scales[p], division), zeros[p], range);
  }
  c.set_out(0, from_integers(dtype, x.shape(), y));
  return ok();
}

// ---- DequantizeLinear ---------------------------------------------------------------------------------------------

DType dequantized_dtype(const DequantizeLinearAttrs& a, DType scale) {
  return a.output_dtype ? dtype_of_number(a.output_dtype) : scale;
}

Result<Types> infer_dequantize(const InferContext& c) {
  const DequantizeLinearAttrs a = c.attrs<DequantizeLinearAttrs>();
  LAPIS_CHECK(check_parameters(c, a.axis, a.block_size));

  const DType dtype = dequantized_dtype(a, c.in(1).dtype);
  if (!allows(kScale, dtype))
    return c.unsupported("dequantizing to " + std::string(name_of(dtype)) + " is not supported");
  return Types{Type::tensor(dtype, c.in(0).dims)};
}

Status dequantize_from_float(EvalContext& c, const DequantizeLinearAttrs& a) {
  LAPIS_CHECK(check_float_zero_point(c));
  const ParameterIndex parameter(c.in(0), c.in(1), a.axis, a.block_size);
  std::vector<double> values = to_doubles(c.in(0));
  const std::vector<double> scales = to_doubles(c.in(1));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(values[i]) * static_cast<float>(scales[parameter(i)]);
  c.set_out(0, from_doubles(dequantized_dtype(a, c.in(1).dtype()), c.in(0).shape(), values));
  return ok();
}

Status evaluate_dequantize(EvalContext& c) {
  const DequantizeLinearAttrs a = c.attrs<DequantizeLinearAttrs>();
  const Tensor& x = c.in(0);
  if (is_float(x.dtype())) return dequantize_from_float(c, a);
  const ParameterIndex parameter(x, c.in(1), a.axis, a.block_size);
  const std::vector<int64_t> values = to_integers(x), zeros = zero_points(c);
  const std::vector<double> scales = to_doubles(c.in(1));
  std::vector<double> y(values.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t p = parameter(i);
    const auto centered = static_cast<int32_t>(static_cast<uint32_t>(values[i]) - static_cast<uint32_t>(zeros[p]));
    y[i] = static_cast<float>(centered) * static_cast<float>(scales[p]);
  }
  c.set_out(0, from_doubles(dequantized_dtype(a, c.in(1).dtype()), x.shape(), y));
  return ok();
}

// ---- DynamicQuantizeLinear ----------------------------------------------------------------------------------------

Result<Types> infer_dynamic(const InferContext& c) {
  return Types{Type::tensor(DType::UInt8, c.in(0).dims), Type::tensor(DType::Float32, Dims{}),
               Type::tensor(DType::UInt8, Dims{})};
}

Status evaluate_dynamic(EvalContext& c) {
  constexpr IntegerRange kRange{0, 255};
  const auto x = c.in(0).data<float>();
  float lowest = 0, highest = 0;  // the range must hold zero
  for (float v : x) {
    lowest = min_of(lowest, v);
    highest = max_of(highest, v);
  }
  const float scale = highest == lowest ? 1.0f : (highest - lowest) / 255.0f;
  const int64_t zero_point = quantize(0.0f - lowest / scale, 0, kRange);
  std::vector<int64_t> y(x.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = quantize(x[i] / scale, zero_point, kRange);
  c.set_out(0, from_integers(DType::UInt8, c.in(0).shape(), y));
  c.set_out(1, Tensor::scalar(scale));
  c.set_out(2, Tensor::scalar(static_cast<uint8_t>(zero_point)));
  return ok();
}

}  // namespace

const OpDef DequantizeLinear = op("DequantizeLinear")
                                   .since(25)
                                   .doc("(x - zero_point) * scale: what is stored in few bits back to real numbers.")
                                   .in("x", kStorage | types(DType::Int32), "T1")
                                   .in("x_scale", kScale)
                                   .optional_in("x_zero_point", kStorage | types(DType::Int32), "T1")
                                   .out("y", kScale)
                                   .attrs<DequantizeLinearAttrs>()
                                   .infer(infer_dequantize)
                                   .evaluate(evaluate_dequantize)
                                   .traits(Trait::Pure);

const OpDef DynamicQuantizeLinear = op("DynamicQuantizeLinear")
                                        .since(11)
                                        .doc("Quantizes to uint8 with a scale and zero point taken from x itself.")
                                        .in("x", types(DType::Float32))
                                        .out("y", types(DType::UInt8))
                                        .out("y_scale", types(DType::Float32))
                                        .out("y_zero_point", types(DType::UInt8))
                                        .infer(infer_dynamic)
                                        .evaluate(evaluate_dynamic)
                                        .traits(Trait::Pure);

const OpDef QuantizeLinear =
    op("QuantizeLinear")
        .since(25)
        .doc("saturate(round(x / scale) + zero_point), ties to even; 8- and 4-bit floats have no zero point.")
        .in("x", kScale | types(DType::Int32))
        .in("y_scale", kScale)
        .optional_in("y_zero_point", kStorage)
        .out("y", kStorage)
        .attrs<QuantizeLinearAttrs>()
        .infer(infer_quantize)
        .evaluate(evaluate_quantize)
        .traits(Trait::Pure);

}  // namespace lapis::ops
