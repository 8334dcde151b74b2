// torchao: weights and activations in blocks of the last axis, each with a scale. Weights become DequantizeLinear, so
// that their integers stay; the scales of activations are found when the model runs.
#include <algorithm>
#include <cmath>
#include <limits>

#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {
namespace {

// "block_size": 1 for every axis but the last.
struct Blocks {
  int64_t rank = 0, length = 0, size = 0;  // of the last axis, of a block of it
  bool is_whole() const { return size == length; }
  Shape split() const {  // [..., blocks, size]
    Shape shape(static_cast<size_t>(rank - 1), 0);
    shape.insert(shape.end(), {length / size, size});
    return shape;
  }
  Shape joined() const {
    Shape shape(static_cast<size_t>(rank - 1), 0);
    shape.push_back(length);
    return shape;
  }
};

Result<Blocks> blocks_of(Args& a, const Value* x) {
  const std::vector<int64_t> sizes = a.list("block_size");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == 0 || static_cast<int64_t>(sizes.size()) != rank)
    return error(ErrorKind::Input, "has not as many sizes of blocks as axes");
  if (!std::all_of(sizes.begin(), sizes.end() - 1, [](int64_t s) { return s == 1; }))
    return Translation::unsupported("blocks over other axes than the last one");
  const Dim& last = x->type().dim(-1);
  if (!last.is_constant()) return Translation::unsupported("blocks of an axis of open size");
  const Blocks blocks{rank, last.value(), sizes.back()};
  if (blocks.size < 1 || blocks.length % blocks.size != 0)
    return error(ErrorKind::Input,
                 "has blocks of " + std::to_string(blocks.size) + " of " + std::to_string(blocks.length));
  return blocks;
}

struct Range {
  DType dtype;
  double lowest, highest;
};

Result<Range> range_of(Args& a, std::string_view type) {
  const auto dtype = a.dtype(type);
  LAPIS_CHECK(a.status());
  if (!dtype || !is_quantized_storage(*dtype))
    return Translation::unsupported("integers of other types than int8 and uint8");
  const IntegerRange whole = integer_range(*dtype);
  const Range range{*dtype, a.number("quant_min", static_cast<double>(whole.lowest)),
                    a.number("quant_max", static_cast<double>(whole.highest))};
  LAPIS_CHECK(a.status());
  if (!(range.lowest < range.highest)) return error(ErrorKind::Input, "has a range without numbers");
  return range;
}

// A scale or zero point for each block, as [..., blocks, 1] of float. Those of whole rows may lack the last axis.
Result<Value*> beside_blocks(Translation& t, Value* each, const Blocks& blocks) {
  LAPIS_TRY(each, frontend::cast(t, each, DType::Float32));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(each));
  if (rank == blocks.rank) return frontend::unsqueeze(t, each, {rank});
  if (rank == blocks.rank - 1 && blocks.is_whole()) return frontend::unsqueeze(t, each, {rank, rank + 1});
  return error(ErrorKind::Input, "has scales of another shape than its blocks");
}

Result<Value*> real_operand(Translation& t, Args& a) {
  LAPIS_TRY(Value * x, a.tensor("input"));
  if (is_float(x->dtype())) return frontend::cast(t, x, DType::Float32);
  return Translation::unsupported("integers as what is quantized");
}

// ---- scales that are found when the model runs ----------------------------------------------------------------------

struct Extent {
  Value *low, *high;  // of each block and 0
};

Result<Extent> extent_of(Translation& t, Value* x, const Blocks& blocks) {
  LAPIS_TRY(Value * split, frontend::reshape(t, x, blocks.split()));
  Value* zero = number_like(t, 0, x);
  LAPIS_TRY(Value * low, frontend::reduce(t, ops::ReduceMin, split, {-1}, false));
  LAPIS_TRY(Value * high, frontend::reduce(t, ops::ReduceMax, split, {-1}, false));
  Extent extent{};
  LAPIS_TRY(extent.low, t.add(ops::Min, {low, zero}));
  LAPIS_TRY(extent.high, t.add(ops::Max, {high, zero}));
  return extent;
}

Result<Value*> at_least(Translation& t, Value* scale, double least) {
  return t.add(ops::Max, {scale, number_like(t, least, scale)});
}

Result<Value*> symmetric_scale(Translation& t, const Extent& x, const Range& range) {
  LAPIS_TRY(Value * below, t.add(ops::Neg, {x.low}));
  LAPIS_TRY(Value * most, t.add(ops::Max, {below, x.high}));
  return t.add(ops::Div, {most, number_like(t, (range.highest - range.lowest) / 2, most)});
}

Result<Value*> asymmetric_scale(Translation& t, const Extent& x, const Range& range) {
  LAPIS_TRY(Value * width, t.add(ops::Sub, {x.high, x.low}));
  return t.add(ops::Div, {width, number_like(t, range.highest - range.lowest, width)});
}

Result<Value*> asymmetric_zero(Translation& t, const Extent& x, Value* scale, const Range& range) {
  LAPIS_TRY(Value * steps, t.add(ops::Div, {x.low, scale}));
  LAPIS_TRY(steps, t.add(ops::Round, {steps}));
  LAPIS_TRY(Value * zero, t.add(ops::Sub, {number_like(t, range.lowest, steps), steps}));
  return t.add(ops::Clip, {zero, number_like(t, range.lowest, zero), number_like(t, range.highest, zero)});
}

// Without keepdim whole rows lose their axis.
Result<Value*> in_shape(Translation& t, Args& a, Value* each, const Blocks& blocks) {
  return blocks.is_whole() && !a.flag("keepdim", false) ? frontend::squeeze(t, each, {-1}) : Result<Value*>(each);
}

Status choose_qparams(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, real_operand(t, a));
  LAPIS_TRY(const Blocks blocks, blocks_of(a, x));
  LAPIS_TRY(const Range range, range_of(a, "target_dtype"));
  const std::string mapping = a.word("mapping_type", "");
  const bool is_symmetric = mapping == "SYMMETRIC";
  if (!is_symmetric && mapping != "ASYMMETRIC") return Translation::unsupported("the mapping '" + mapping + "'");
  LAPIS_TRY(const Extent extent, extent_of(t, x, blocks));
  LAPIS_TRY(Value * scale, is_symmetric ? symmetric_scale(t, extent, range) : asymmetric_scale(t, extent, range));
  LAPIS_TRY(scale, at_least(t, scale, a.number("eps", static_cast<double>(std::numeric_limits<float>::min()))));
  Value* middle = number_like(t, std::trunc((range.highest + range.lowest + 1) / 2), scale);
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {scale}));
  LAPIS_TRY(Value * zero,
            is_symmetric ? t.add(ops::Expand, {middle, shape}) : asymmetric_zero(t, extent, scale, range));
  LAPIS_TRY(zero, frontend::cast(t, zero, a.dtype("zero_point_dtype").value_or(DType::Int32)));
  LAPIS_TRY(zero, in_shape(t, a, zero, blocks));
  LAPIS_TRY(scale, in_shape(t, a, scale, blocks));
  LAPIS_CHECK(a.status());
  return finish_some(t, {scale, zero});
}

// clamp(round(x * (1 / scale)) + zero)
Status quantize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, real_operand(t, a));
  LAPIS_TRY(const Blocks blocks, blocks_of(a, x));
  LAPIS_TRY(const Range range, range_of(a, "output_dtype"));
  LAPIS_TRY(Value * scale, a.tensor("scale"));
  LAPIS_TRY(scale, beside_blocks(t, scale, blocks));
  LAPIS_TRY(Value * factor, t.add(ops::Reciprocal, {scale}));
  LAPIS_TRY(Value * split, frontend::reshape(t, x, blocks.split()));
  LAPIS_TRY(Value * steps, t.add(ops::Mul, {split, factor}));
  LAPIS_TRY(steps, t.add(ops::Round, {steps}));
  if (a.has("zero_point")) {
    LAPIS_TRY(Value * zero, a.tensor("zero_point"));
    LAPIS_TRY(zero, beside_blocks(t, zero, blocks));
    LAPIS_TRY(steps, t.add(ops::Add, {steps, zero}));
  }
  LAPIS_TRY(steps,
            t.add(ops::Clip, {steps, number_like(t, range.lowest, steps), number_like(t, range.highest, steps)}));
  LAPIS_TRY(steps, frontend::reshape(t, steps, blocks.joined()));
  return finish(t, frontend::cast(t, steps, range.dtype));
}

// ---- back to reals --------------------------------------------------------------------------------------------------

bool lie_within(const Tensor& numbers, DType dtype) {
  const IntegerRange range = integer_range(dtype);
  const std::vector<int64_t> all = numbers.as_ints();
  return std::all_of(all.begin(), all.end(),
                     [&](int64_t n) { return n >= range.lowest && n <= static_cast<int64_t>(range.highest); });
}

// Numbers of 4 bits stand in bytes: they are stored as what they are.
Value* narrowed(Translation& t, Value* x, const Range& range) {
  constexpr double kLowest = -8, kHighest = 7;
  const bool is_narrow = x->dtype() == DType::Int8 && range.lowest >= kLowest && range.highest <= kHighest;
  if (!is_narrow || !lie_within(x->constant(), DType::Int4)) return x;
  return t.constant(ops::from_integers(DType::Int4, x->constant().shape(), x->constant().as_ints()));
}

// Zero points in the type of the integers; an undefined one where it cannot hold them.
Tensor zeros_for(const Value* zero, DType dtype, const Shape& shape) {
  if (!zero) return ops::from_integers(dtype, shape, std::vector<int64_t>(static_cast<size_t>(element_count(shape))));
  if (!is_integer(zero->dtype()) || !lie_within(zero->constant(), dtype)) return {};
  return ops::from_integers(dtype, shape, zero->constant().as_ints());
}

// Of a matrix of constants with a scale for each row or block. Null: it is not that.
Result<Value*> dequantized_weights(Translation& t, Args& a, Value* x, const Blocks& blocks, const Range& range) {
  LAPIS_TRY(const Value* scale, a.tensor("scale"));
  const Value* zero = nullptr;
  if (a.has("zero_point")) {
    LAPIS_TRY(zero, a.tensor("zero_point"));
  }
  const auto fits = [&](const Value* v) {
    return v->is_constant() && v->constant().size() * blocks.size == x->constant().size();
  };
  Value* const none = nullptr;
  if (!x->is_constant() || blocks.rank != 2 || !fits(scale) || (zero && !fits(zero))) return none;
  const int64_t rows = x->constant().dim(0);
  const Shape shape = blocks.is_whole() ? Shape{rows} : Shape{rows, blocks.length / blocks.size};
  Value* integers = narrowed(t, x, range);
  Tensor zeros = zeros_for(zero, integers->dtype(), shape);
  if (!zeros.defined()) return none;
  LAPIS_TRY(Value * scales, frontend::cast(t, t.constant(scale->constant().reshaped(shape)), DType::Float32));
  return t.add(
      ops::DequantizeLinear, {integers, scales, t.constant(std::move(zeros))},
      ops::DequantizeLinearAttrs{.axis = blocks.is_whole() ? 0 : 1, .block_size = blocks.is_whole() ? 0 : blocks.size});
}

// (x - zero) * scale
Result<Value*> dequantized(Translation& t, Args& a, Value* x, const Blocks& blocks) {
  LAPIS_TRY(Value * scale, a.tensor("scale"));
  LAPIS_TRY(scale, beside_blocks(t, scale, blocks));
  LAPIS_TRY(Value * split, frontend::reshape(t, x, blocks.split()));
  LAPIS_TRY(Value * real, frontend::cast(t, split, DType::Float32));
  if (a.has("zero_point")) {
    LAPIS_TRY(Value * zero, a.tensor("zero_point"));
    LAPIS_TRY(zero, beside_blocks(t, zero, blocks));
    LAPIS_TRY(real, t.add(ops::Sub, {real, zero}));
  }
  LAPIS_TRY(real, t.add(ops::Mul, {real, scale}));
  return frontend::reshape(t, real, blocks.joined());
}

Status dequantize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, a.tensor("input"));
  if (!is_integer(x->dtype())) return Translation::unsupported("reals as what is quantized");
  LAPIS_TRY(const Blocks blocks, blocks_of(a, x));
  LAPIS_TRY(const Range range, range_of(a, "input_dtype"));
  LAPIS_TRY(Value * real, dequantized_weights(t, a, x, blocks, range));
  if (!real) {
    LAPIS_TRY(real, dequantized(t, a, x, blocks));
  }
  const auto dtype = a.dtype("output_dtype");
  LAPIS_CHECK(a.status());
  return finish(t, frontend::cast(t, real, dtype.value_or(DType::Float32)));
}

// Bytes times bytes, summed exactly.
Status integer_product(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * y, a.tensor("mat2"));
  return finish(t, t.add(ops::MatMulInteger, {x, y}));
}

constexpr AtenRow kRows[] = {
    {"aten._int_mm", "self mat2", integer_product},
    {"torchao.choose_qparams_affine",
     "input mapping_type block_size target_dtype quant_min quant_max eps scale_dtype zero_point_dtype keepdim",
     choose_qparams},
    {"torchao.dequantize_affine", "input block_size scale zero_point input_dtype quant_min quant_max *output_dtype",
     dequantize},
    {"torchao.quantize_affine", "input block_size scale zero_point output_dtype quant_min quant_max", quantize},
};

}  // namespace

std::span<const AtenRow> torchao_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
