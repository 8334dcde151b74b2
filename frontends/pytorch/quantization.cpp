// Quantization as PyTorch 2 exports it, and as it simulates it in training:
// QuantizeLinear and DequantizeLinear, with the ranges of the model.
#include <algorithm>
#include <cmath>

#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/rewrite.h"

namespace lapis::pytorch_frontend {
namespace {

// What turns reals into integers of a range.
struct Grid {
  Value *scale, *zero;
  DType dtype;
  int64_t axis = 0;  // of scales that are several
  int64_t lowest = 0, highest = 0;
  bool is_whole() const {
    const IntegerRange range = integer_range(dtype);
    return lowest <= range.lowest && highest >= static_cast<int64_t>(range.highest);
  }
  bool has_one_scale() const { return scale->type().is_static() && element_count(scale->type().shape()) == 1; }
};

// The type that holds integers of this range, where none is named.
std::optional<DType> storage_for(int64_t lowest, int64_t highest) {
  for (const DType dtype : {DType::Int8, DType::UInt8}) {
    const IntegerRange range = integer_range(dtype);
    if (lowest >= range.lowest && highest <= static_cast<int64_t>(range.highest)) return dtype;
  }
  return std::nullopt;
}

Result<Value*> scale_of(Translation& t, Args& a, std::string_view name) {
  LAPIS_TRY(Value * scale, a.number_or_tensor(name, DType::Float32));
  LAPIS_TRY(scale, frontend::cast(t, scale, DType::Float32));
  return scale->type().ranked() && scale->type().rank() == 1 && scale->type().dim(0).is(1)
             ? frontend::reshape(t, scale, Shape{})
             : Result<Value*>(scale);
}

// A constant in the type of the integers: quantization looks at it.
Result<Value*> zero_of(Translation& t, Args& a, std::string_view name, const Value* scale, DType dtype) {
  if (!a.is_operand(name)) {
    const double number = a.number(name, 0);
    if (!scale->type().is_static()) return Translation::unsupported("scales that are computed");
    return frontend::filled(t, number, Type::tensor(dtype, scale->type().shape()));
  }
  LAPIS_TRY(const Value* zero, a.tensor(name));
  if (!zero->is_constant() || !is_integer(zero->dtype()))
    return Translation::unsupported("zero points that are computed or no integers");
  if (!scale->type().is_static() || element_count(scale->type().shape()) != zero->constant().size())
    return error(ErrorKind::Input, "has not as many zero points as scales");
  return t.constant(ops::from_integers(dtype, scale->type().shape(), zero->constant().as_ints()));
}

Result<Grid> grid(Translation& t, Args& a, std::optional<DType> dtype) {
  Grid g{};
  g.lowest = a.integer("quant_min", INT64_MIN);
  g.highest = a.integer("quant_max", INT64_MAX);
  g.axis = a.integer("axis", 0);
  if (!dtype) dtype = storage_for(g.lowest, g.highest);
  LAPIS_CHECK(a.status());
  if (!dtype || (!is_quantized_storage(*dtype) && *dtype != DType::Int32))
    return Translation::unsupported("integers of other types than int8 and uint8");
  g.dtype = *dtype;
  LAPIS_TRY(g.scale, scale_of(t, a, a.has("scales") ? "scales" : "scale"));
  LAPIS_TRY(g.zero, zero_of(t, a, a.has("zero_points") ? "zero_points" : "zero_point", g.scale, g.dtype));
  LAPIS_CHECK(a.status());
  return g;
}

bool is_constant_grid(const Grid& g) { return g.scale->is_constant() && g.zero->is_constant(); }

// Weights become integers now, so that they are constants as elsewhere.
Result<Value*> quantized_constant(Translation& t, const Grid& g, const Tensor& x, const Attributes& attributes) {
  LAPIS_TRY(Tensor integers,
            evaluate_op(ops::QuantizeLinear, {x, g.scale->constant(), g.zero->constant()}, attributes));
  std::vector<int64_t> values = integers.as_ints();
  for (int64_t& value : values) value = std::min(std::max(value, g.lowest), std::max(g.lowest, g.highest));
  return t.constant(ops::from_integers(g.dtype, integers.shape(), values));
}

// Reals beyond a range that is narrower than that of the type are cut before.
Result<Value*> within_range(Translation& t, const Grid& g, Value* x) {
  if (g.is_whole() || !g.has_one_scale()) return x;
  if (!is_constant_grid(g)) return Translation::unsupported("a range narrower than its type, with a computed scale");
  const double scale = g.scale->constant().as_double(0);
  const auto zero = static_cast<double>(g.zero->constant().as_int(0));
  const double low = (static_cast<double>(g.lowest) - zero) * scale,
               high = (static_cast<double>(g.highest) - zero) * scale;
  return t.add(ops::Clip, {x, number_like(t, low, x), number_like(t, high, x)});
}

// The same of integers, where each channel has its scale: no real is the end of the range for all of them.
Result<Value*> cut_to_range(Translation& t, const Grid& g, Value* integers) {
  if (g.is_whole() || g.has_one_scale()) return integers;
  const auto number = [&](int64_t n) { return t.constant(ops::from_integers(g.dtype, {}, {n})); };
  return t.add(ops::Clip, {integers, number(g.lowest), number(g.highest)});
}

Result<Value*> quantized(Translation& t, const Grid& g, Value* x) {
  if (g.dtype == DType::Int32) return Translation::unsupported("integers of other types than int8 and uint8");
  const Attributes attributes = encode_attributes(ops::QuantizeLinearAttrs{.axis = g.axis});
  if (x->is_constant() && is_constant_grid(g)) return quantized_constant(t, g, x->constant(), attributes);
  LAPIS_TRY(x, within_range(t, g, x));
  LAPIS_TRY(Value * integers, t.add(ops::QuantizeLinear, {x, g.scale, g.zero}, attributes));
  return cut_to_range(t, g, integers);
}

Result<Value*> dequantized(Translation& t, const Grid& g, Value* x) {
  std::vector<Value*> inputs = {x, g.scale};
  if (g.dtype != DType::Int32) inputs.push_back(g.zero);  // ONNX knows 0 only
  return t.add(ops::DequantizeLinear, inputs, ops::DequantizeLinearAttrs{.axis = g.axis});
}

Status quantize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(const Grid g, grid(t, a, a.dtype()));
  return finish(t, quantized(t, g, x));
}

Status dequantize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(const Grid g, grid(t, a, x->dtype()));
  return finish(t, dequantized(t, g, x));
}

// Both at once: reals that are rounded to what the integers can say.
Status fake_quantize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const Grid g, grid(t, a, std::nullopt));
  LAPIS_TRY(Value * integers, quantized(t, g, x));
  return finish(t, dequantized(t, g, integers));
}

// Whether a switch of a module is on, which is one number in a buffer.
Result<bool> is_on(Args& a, std::string_view name) {
  LAPIS_TRY(const Value* buffer, a.tensor(name));
  if (!buffer->is_constant() || buffer->constant().size() != 1)
    return Translation::unsupported("`" + std::string(name) + "` is no constant number");
  return buffer->constant().as_int(0) != 0;
}

// The module of training that observes, and rounds as fake_quantize does: with the scale that it has found.
Status observed_fake_quantize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const bool observes, is_on(a, "observer_on"));
  LAPIS_TRY(const bool rounds, is_on(a, "fake_quant_on"));
  if (observes)
    return Translation::unsupported(
        "it still observes, so its scale would follow what it is given: "
        "model.apply(torch.ao.quantization.disable_observer) before the export ends that");
  if (!rounds) return finish(t, x);
  LAPIS_TRY(Grid g, grid(t, a, std::nullopt));
  if (!a.flag("per_row_fake_quant", false)) g.axis = 0;
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * integers, quantized(t, g, x));
  return finish(t, dequantized(t, g, integers));
}

constexpr AtenRow kRows[] = {
    {"aten.dequantize", "self", same},  // of what TorchScript's quantized tensors are: reals
    {"aten.fake_quantize_per_channel_affine", "self scale zero_point axis quant_min quant_max", fake_quantize},
    {"aten.fake_quantize_per_tensor_affine", "self scale zero_point quant_min quant_max", fake_quantize},
    {"aten.fused_moving_avg_obs_fake_quant",
     "self observer_on fake_quant_on running_min running_max scale zero_point averaging_const quant_min quant_max axis "
     "per_row_fake_quant symmetric_quant",
     observed_fake_quantize},
    {"quantized_decomposed.dequantize_per_channel",
     "input scales zero_points axis quant_min quant_max dtype *out_dtype", dequantize},
    {"quantized_decomposed.dequantize_per_tensor", "input scale zero_point quant_min quant_max dtype *out_dtype",
     dequantize},
    {"quantized_decomposed.quantize_per_channel", "input scales zero_points axis quant_min quant_max dtype", quantize},
    {"quantized_decomposed.quantize_per_tensor", "input scale zero_point quant_min quant_max dtype", quantize},
};

}  // namespace

std::span<const AtenRow> quantization_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
