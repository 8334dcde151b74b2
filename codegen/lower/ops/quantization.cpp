// Conversions of types: casts, quantization, and the copy that converts nothing.
#include "codegen/lower/ops/families.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

int identity(Scalar& s) { return s.as_is(0); }
int cast(Scalar& s) { return s.to(s.result_type(), s.as_is(0)); }
bool is_widening_cast(const Node& node) {
  return !node.input(0)->is_constant() && bit_width(node.output()->dtype()) > bit_width(node.input(0)->dtype());
}

// The type that x / scale is rounded to, with both operands. Scales are floats here.
DType division_type(const Node& quantize) {
  const int64_t precision = quantize.attrs<ops::QuantizeLinearAttrs>().precision;
  return precision ? dtype_of_number(precision) : DType::Float32;
}

int quotient(Scalar& s, int x, int scale) {
  const auto rounded = [&](int v) { return s.to(DType::Float32, s.to(division_type(s.node), v)); };
  return rounded(s.as(DType::Float32, Op::Div, {rounded(x), rounded(scale)}));
}

// Zero point as an instruction of the quantized type, or -1 for "0".
int quantize(Scalar& s) {
  const auto scale = scalar_constant(s.node.input(1));
  const auto zero = s.has(2) ? scalar_constant(s.node.input(2)) : std::optional(Immediate(0));
  const int x = s.in(0);
  if (scale && zero && division_type(s.node) == DType::Float32)
    return s.raw({Op::Quantize, s.type(), {x, -1, -1}, -1, *scale, *zero});
  // Per channel, or of halves: divide and round first, then quantize the sum, which is whole already, with scale 1.
  int units = quotient(s, x, s.in(1));
  if (s.has(2))
    units =
        s.as(DType::Float32, Op::Add, {s.as(DType::Float32, Op::RoundEven, {units}), s.to(DType::Float32, s.in(2))});
  return s.raw({Op::Quantize, s.type(), {units, -1, -1}, -1, 1.0, 0});
}

int dequantize(Scalar& s) {
  const auto scale = scalar_constant(s.node.input(1));
  const auto zero = s.has(2) ? scalar_constant(s.node.input(2)) : std::optional(Immediate(0));
  const int x = s.in(0);
  if (scale && zero) return s.raw({Op::Dequantize, s.type(), {x, -1, -1}, -1, *scale, *zero});
  int centred = s.to(DType::Int32, x);
  if (s.has(2)) centred = s.as(DType::Int32, Op::Sub, {centred, s.to(DType::Int32, s.in(2))});
  return s.mul({s.to(s.type(), centred), s.in(1)});
}

// A block of scales along an axis has no code yet.
template <class Attrs> Status simple_scale(const Node& node) {
  const Type& scale = node.input(1)->type();
  if (node.attrs<Attrs>().block_size != 0 || scale.rank() > 1) return refuse("scales of blocks");
  if (scale.dtype != DType::Float32) return refuse("scales of " + std::string(name_of(scale.dtype)));
  return ok();
}
template <class Attrs> int64_t scale_axis(const Node& node) {
  const int64_t axis = node.attrs<Attrs>().axis;
  return axis < 0 ? axis + node.output()->type().rank() : axis;
}
using QuantizeAttrs = ops::QuantizeLinearAttrs;
using DequantizeAttrs = ops::DequantizeLinearAttrs;

bool has_constant_scale(const Node& node) {
  return scalar_constant(node.input(1)) && (!node.input(2) || scalar_constant(node.input(2)));
}

}  // namespace

OpLowerings quantization_rows() {
  return {
      code_for(ops::Identity).scalar(identity),
      code_for(ops::Cast).scalar(cast).recomputed_if(is_widening_cast),
      code_for(ops::CastLike).scalar(cast),
      code_for(ops::QuantizeLinear).scalar(quantize, simple_scale<QuantizeAttrs>).parameters(scale_axis<QuantizeAttrs>),
      code_for(ops::DequantizeLinear)
          .scalar(dequantize, simple_scale<DequantizeAttrs>)
          .parameters(scale_axis<DequantizeAttrs>)
          .recomputed_if(has_constant_scale),
  };
}

}  // namespace lapis::codegen
