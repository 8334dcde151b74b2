// Operators on integers of 8 bits that go along with a range, two more values: the largest magnitude in the range
// stands for the largest integer. Which number that is differs: MXNet's own operators mean 127 and 255, those that it
// does with oneDNN 127.5 and 255.5. Sums, which MXNet keeps in 32 bits, stand in the graph as the reals that they mean.
// Ranges that are known give constant scales, others are computed with the model.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "frontends/common/formula.h"
#include "frontends/mxnet/fused.h"
#include "frontends/mxnet/translators.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::Formula;

enum class Steps : uint8_t { Whole, Half };

float largest(DType dtype, Steps steps) {
  constexpr float kUnsigned = 255, kSigned = 127, kHalf = 0.5f;
  return (dtype == DType::UInt8 ? kUnsigned : kSigned) + (steps == Steps::Half ? kHalf : 0);
}

struct Range {  // one number each, or one a channel
  Value *low, *high;
  bool is_known() const { return low->is_constant() && high->is_constant(); }
};

Range known_range(Translation& t, double low, double high) {
  const auto number = [&](double v) { return t.constant(Tensor::vector<float>({static_cast<float>(v)})); };
  return {number(low), number(high)};
}

enum class Ends : uint8_t { One, AnyNumber };

Result<Range> range_at(Translation& t, size_t i, Ends ends = Ends::One) {
  LAPIS_TRY(Value * low, operand(t, i));
  LAPIS_TRY(Value * high, operand(t, i + 1));
  for (const Value* v : {low, high})
    if (v->dtype() != DType::Float32) return error(ErrorKind::Input, "the range of an operand is no float");
  const Range range{low, high};
  if (!range.is_known()) return range;
  const int64_t count = low->constant().size();
  if (count == 0 || high->constant().size() != count) return error(ErrorKind::Input, "the ends of a range do not fit");
  if (count > 1 && ends == Ends::One) return Translation::unsupported("a range for each channel");
  return range;
}

// Of what is a range by itself, the larger end on both sides.
Value* magnitude(Formula& f, Translation& t, const Range& range) {
  if (!range.is_known()) return f.max({f.op(ops::Abs, {range.low}), f.op(ops::Abs, {range.high})});
  const auto low = range.low->constant().data<float>(), high = range.high->constant().data<float>();
  std::vector<float> most;
  for (size_t i = 0; i < low.size(); ++i) most.push_back(std::max(std::abs(low[i]), std::abs(high[i])));
  return t.constant(Tensor::vector<float>(most));
}

// The real that one step means.
Value* scale_of(Formula& f, Translation& t, const Range& range, float most) {
  Value* size = magnitude(f, t, range);
  if (!size || !size->is_constant()) return f.reshape(f.div({size, f.number(most)}), {});
  std::vector<float> scales;
  for (const float v : size->constant().data<float>()) scales.push_back(v / most);
  if (scales.size() == 1) return f.number(scales[0]);
  return t.constant(Tensor::vector<float>(scales));
}

Value* dequantized(Formula& f, Value* integers, Value* scale) {
  return f.op(ops::DequantizeLinear, {integers, scale}, ops::DequantizeLinearAttrs{.axis = 0});
}

// Integers of one type as those of another that have the same bits.
Value* as_type(Formula& f, Value* integers, DType dtype) {
  return !integers || integers->dtype() == dtype ? integers : f.cast(integers, dtype);
}

// To divide by. What is in a range of 0 means 0, whatever its integers.
Value* positive(Formula& f, Value* scale) {
  if (!scale || !scale->is_constant()) return f.max({scale, f.number(FLT_MIN)});
  return scale->constant().data<float>()[0] > 0 ? scale : f.number(FLT_MIN);
}

Value* quantized(Formula& f, Value* real, Value* scale, DType dtype) {
  return f.op(ops::QuantizeLinear, {real, positive(f, scale), f.number(0, dtype)});
}

struct Ranged {
  Value* integers;
  Range range;
  DType dtype() const { return integers->dtype(); }
};

// The operand, and the range that stands at another place among the operands.
Result<Ranged> ranged(Translation& t, size_t i, size_t range, Ends ends = Ends::One) {
  LAPIS_TRY(Value * x, operand(t, i));
  if (x->dtype() != DType::Int8 && x->dtype() != DType::UInt8)
    return Translation::unsupported("an operand that is not integers of 8 bits but " + x->type().to_string());
  LAPIS_TRY(const Range r, range_at(t, range, ends));
  return Ranged{x, r};
}

Value* real_of(Formula& f, Translation& t, const Ranged& x, Steps steps = Steps::Half) {
  return dequantized(f, x.integers, scale_of(f, t, x.range, largest(x.dtype(), steps)));
}

Status set_range(Translation& t, const Range& range) {
  for (size_t i = 1; i < t.output_count(); ++i) {
    Value* end = i == 1 ? range.low : range.high;
    if (end->is_constant())
      t.set_constant(i, end->constant());
    else
      LAPIS_CHECK(frontend::result(t, i, end));
  }
  return ok();
}

Status finish(Translation& t, const Formula& f, Value* integers, const Range& range) {
  LAPIS_CHECK(f.status());
  LAPIS_CHECK(frontend::result(t, 0, integers));
  return set_range(t, range);
}

// ---- from reals to integers -----------------------------------------------------------------------------------------

struct Calibration {
  bool is_known;
  double low, high;
  DType dtype;
};

Result<Calibration> calibration_of(Translation& t, const char* type_without) {
  Options o(t);
  const bool is_known = o.has("min_calib_range") && o.has("max_calib_range");
  Calibration c{is_known, o.number("min_calib_range", 0), o.number("max_calib_range", 0), DType::Int8};
  const std::string type = o.word("out_type", type_without);
  LAPIS_CHECK(o.status());
  if (!std::isfinite(c.low) || !std::isfinite(c.high)) return error(ErrorKind::Input, "its range is not finite");
  if (type != "int8" && type != "uint8" && type != "auto") return Translation::unsupported("the type " + type);
  if (type == "uint8" || (type == "auto" && is_known && c.low >= 0)) c.dtype = DType::UInt8;
  return c;
}

// Integers of a sign have a range around 0.
Range around_zero(Formula& f, Translation& t, const Range& range) {
  Value* high = magnitude(f, t, range);
  if (!high || !high->is_constant()) return {f.op(ops::Neg, {high}), high};
  return known_range(t, -high->constant().data<float>()[0], high->constant().data<float>()[0]);
}

Range extent_of(Formula& f, Translation& t, Value* x, const Calibration& c) {
  if (c.is_known) return known_range(t, c.low, c.high);
  const auto end = [&](const OpDef& op) { return f.reshape(f.op(op, {x}, {{"keepdims", int64_t{0}}}), {1}); };
  return {end(ops::ReduceMin), end(ops::ReduceMax)};
}

Status quantize_by(Translation& t, Formula& f, Value* x, Range range, DType dtype, Steps steps) {
  if (dtype == DType::Int8) range = around_zero(f, t, range);
  const auto within = t.get<std::string>(kComputedAs, "");
  const DType type = within == "int8" ? DType::Int8 : within == "uint8" ? DType::UInt8 : dtype;
  Value* integers = quantized(f, x, scale_of(f, t, range, largest(dtype, steps)), type);
  return finish(t, f, as_type(f, integers, dtype), range);
}

// ---- products -------------------------------------------------------------------------------------------------------

struct Products {
  Ranged data, weights, bias;
  bool has_bias;
};

// Data, weights and the bias if there is one, then the range of each.
Result<Products> products_of(Translation& t) {
  Options o(t);
  const size_t count = o.flag("no_bias", false) ? 2 : 3;
  LAPIS_CHECK(o.status());
  if (t.input_count() != 3 * count)
    return error(ErrorKind::Input, "has not a range for each of its " + std::to_string(count) + " operands");
  LAPIS_TRY(const Ranged data, ranged(t, 0, count));
  LAPIS_TRY(const Ranged weights, ranged(t, 1, count + 2));
  if (count == 2) return Products{data, weights, {}, false};
  LAPIS_TRY(const Ranged bias, ranged(t, 2, count + 4));
  return Products{data, weights, bias, true};
}

Value* product_of_scales(Formula& f, Value* a, Value* b) {
  if (!a || !b || !a->is_constant() || !b->is_constant()) return f.mul({a, b});
  return f.number(a->constant().data<float>()[0] * b->constant().data<float>()[0]);
}

// ---- what works on reals --------------------------------------------------------------------------------------------

Status calibrated_result(Translation& t, Formula& f, Value* real, DType dtype) {
  LAPIS_TRY(const Calibration c, calibration_of(t, "int8"));
  LAPIS_CHECK(f.status());
  if (!c.is_known) return frontend::result(t, 0, real);
  const Range range = known_range(t, c.low, c.high);
  return finish(t, f, quantized(f, real, scale_of(f, t, range, largest(dtype, Steps::Half)), dtype), range);
}

// From the lowest end to the highest.
Range common_range(Formula& f, Translation& t, const std::vector<Range>& ranges) {
  const bool are_known = std::all_of(ranges.begin(), ranges.end(), [](const Range& r) { return r.is_known(); });
  Range all = ranges[0];
  for (size_t i = 1; i < ranges.size(); ++i) {
    const Range& r = ranges[i];
    const auto end_of = [](const Value* v) { return v->constant().data<float>()[0]; };
    all = are_known
              ? known_range(t, std::min(end_of(all.low), end_of(r.low)), std::max(end_of(all.high), end_of(r.high)))
              : Range{f.min({all.low, r.low}), f.max({all.high, r.high})};
  }
  return all;
}

struct Pair {
  Ranged a, b;
};

Result<Pair> pair_of(Translation& t) {
  LAPIS_TRY(const Ranged a, ranged(t, 0, 2));
  LAPIS_TRY(const Ranged b, ranged(t, 1, 4));
  return Pair{a, b};
}

}  // namespace

// The older form, which is given its range.
Status quantize(Translation& t) {
  LAPIS_TRY(const Calibration c, calibration_of(t, "uint8"));
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const Range range, range_at(t, 1));
  Formula f(t);
  return quantize_by(t, f, x, range, c.dtype, Steps::Whole);
}

Status quantize_v2(Translation& t) {
  LAPIS_TRY(const Calibration c, calibration_of(t, "int8"));
  LAPIS_TRY(Value * x, operand(t));
  if (x->dtype() != DType::Float32) return Translation::unsupported("an operand of " + x->type().to_string());
  Formula f(t);
  return quantize_by(t, f, x, extent_of(f, t, x, c), c.dtype, Steps::Half);
}

// Of sums. Without a sign the range has no lower end either.
Status requantize(Translation& t) {
  LAPIS_TRY(const Calibration c, calibration_of(t, "int8"));
  LAPIS_TRY(Value * x, operand(t));
  if (x->dtype() != DType::Float32) return Translation::unsupported("an operand that is not a sum of integers");
  Formula f(t);
  Range range = around_zero(f, t, extent_of(f, t, x, c));
  if (c.dtype == DType::UInt8) range.low = known_range(t, 0, 0).low;
  return finish(t, f, quantized(f, x, scale_of(f, t, range, largest(c.dtype, Steps::Whole)), c.dtype), range);
}

Status dequantize(Translation& t) {
  LAPIS_TRY(const Ranged x, ranged(t, 0, 1, Ends::AnyNumber));
  Formula f(t);
  Value* real = real_of(f, t, x);
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, real);
}

// MXNet counts in steps of 127 for data without a sign too, and adds the integers of the bias to such sums as they are.
Status quantized_convolution(Translation& t) {
  LAPIS_TRY(const Products p, products_of(t));
  Formula f(t);
  Value* x = scale_of(f, t, p.data.range, largest(DType::Int8, Steps::Whole));
  Value* w = scale_of(f, t, p.weights.range, largest(DType::Int8, Steps::Whole));
  std::vector<Value*> inputs = {dequantized(f, p.data.integers, x), dequantized(f, p.weights.integers, w)};
  if (p.has_bias)
    inputs.push_back(dequantized(f, p.bias.integers,
                                 p.data.dtype() == DType::UInt8
                                     ? product_of_scales(f, x, w)
                                     : scale_of(f, t, p.bias.range, largest(DType::Int8, Steps::Whole))));
  LAPIS_CHECK(f.status());
  return mxnet_frontend::finish(t, convolved(t, inputs));
}

// The bias comes to the scale of the sums by steps of the other kind.
Status quantized_fully_connected(Translation& t) {
  LAPIS_TRY(const Products p, products_of(t));
  Formula f(t);
  std::vector<Value*> inputs = {real_of(f, t, p.data, Steps::Whole), real_of(f, t, p.weights, Steps::Whole)};
  const float ratio = largest(p.data.dtype(), Steps::Half) / largest(p.data.dtype(), Steps::Whole);
  if (p.has_bias)
    inputs.push_back(
        dequantized(f, p.bias.integers, scale_of(f, t, p.bias.range, largest(DType::Int8, Steps::Whole) / ratio)));
  LAPIS_CHECK(f.status());
  return mxnet_frontend::finish(t, dense(t, std::move(inputs)));
}

Status quantized_pooling(Translation& t) {
  Options o(t);
  const bool averages = o.word("pool_type", "max") == "avg", is_global = o.flag("global_pool", false);
  const std::string convention = o.word("pooling_convention", "valid");
  LAPIS_CHECK(o.status());
  if (averages && !is_global && convention != "valid")
    return Translation::unsupported("averages of integers by the pooling convention " + convention);
  LAPIS_TRY(const Ranged x, ranged(t, 0, 1));
  Formula f(t);
  Value* scale = scale_of(f, t, x.range, largest(x.dtype(), Steps::Half));
  Value* real = dequantized(f, x.integers, scale);
  LAPIS_CHECK(f.status());
  LAPIS_TRY(Value * y, pooled(t, real));
  return finish(t, f, quantized(f, y, scale, x.dtype()), x.range);
}

Status quantized_activation(Translation& t) {
  Options o(t);
  const std::string type = o.word("act_type", "");
  LAPIS_CHECK(o.status());
  if (type != "relu") return Translation::unsupported("the activation '" + type + "' of integers");
  LAPIS_TRY(const Ranged x, ranged(t, 0, 1));
  if (x.dtype() == DType::UInt8) return Translation::unsupported("a relu of uint8, which MXNet takes for int8");
  Formula f(t);
  Value* scale = scale_of(f, t, x.range, largest(x.dtype(), Steps::Half));
  Value* y = f.op(ops::Relu, {dequantized(f, x.integers, scale)});
  return finish(t, f, quantized(f, y, scale, x.dtype()), x.range);
}

Status quantized_flatten(Translation& t) {
  LAPIS_TRY(const Ranged x, ranged(t, 0, 1));
  Formula f(t);
  return finish(t, f, f.op(ops::Flatten, {x.integers}, ops::FlattenAttrs{1}), x.range);
}

// All operands, then the ends of the range of each. The result has a sign if one of them has.
Status quantized_concat(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("dim", 1);
  LAPIS_CHECK(o.status());
  if (t.input_count() % 3 != 0) return error(ErrorKind::Input, "has not a range for each of its operands");
  const size_t count = t.input_count() / 3;
  Formula f(t);
  std::vector<Value*> reals;
  std::vector<Range> ranges;
  DType dtype = DType::UInt8;
  for (size_t i = 0; i < count; ++i) {
    LAPIS_TRY(const Ranged x, ranged(t, i, count + 2 * i));
    if (x.dtype() == DType::Int8) dtype = DType::Int8;
    reals.push_back(real_of(f, t, x));
    ranges.push_back(x.range);
  }
  const Range all = common_range(f, t, ranges);
  Value* y = f.concat(std::move(reals), axis);
  return finish(t, f, quantized(f, y, scale_of(f, t, all, largest(dtype, Steps::Half)), dtype), all);
}

Status quantized_add(Translation& t) {
  LAPIS_TRY(const Pair p, pair_of(t));
  LAPIS_TRY(const Calibration c, calibration_of(t, "int8"));
  const bool alike = p.a.dtype() == p.b.dtype();
  if (!c.is_known && !alike) return Translation::unsupported("int8 and uint8 without a range of the result");
  Formula f(t);
  Value* sum = f.add({real_of(f, t, p.a), real_of(f, t, p.b)});
  return calibrated_result(t, f, sum, alike ? p.a.dtype() : DType::Int8);
}

// Rounded towards 0, and what is beyond the range loses its upper bits.
Status quantized_multiply(Translation& t) {
  LAPIS_TRY(const Pair p, pair_of(t));
  LAPIS_TRY(const Calibration c, calibration_of(t, "int8"));
  Options o(t);
  const bool gives_reals = o.flag("enable_float_output", false);
  LAPIS_CHECK(o.status());
  Formula f(t);
  const Steps steps = c.is_known || gives_reals ? Steps::Half : Steps::Whole;
  Value* product = f.mul({real_of(f, t, p.a, steps), real_of(f, t, p.b, steps)});
  LAPIS_CHECK(f.status());
  if (!c.is_known || gives_reals) return frontend::result(t, 0, product);
  const Range range = known_range(t, c.low, c.high);
  Value* units = f.div({product, positive(f, scale_of(f, t, range, largest(DType::Int8, Steps::Half)))});
  return finish(t, f, f.cast(f.cast(units, DType::Int32), DType::Int8), range);
}

Status quantized_batch_norm(Translation& t) {
  LAPIS_TRY(const Calibration c, calibration_of(t, "int8"));
  if (!c.is_known) return Translation::unsupported("a normalization of integers without a range of its result");
  LAPIS_TRY(const Ranged x, ranged(t, 0, 5));
  Formula f(t);
  Value* real = real_of(f, t, x);
  LAPIS_CHECK(f.status());
  LAPIS_TRY(Value * y, normalized(t, real));
  return calibrated_result(t, f, y, DType::Int8);
}

// Rows of integers; which ones is told by reals.
Status quantized_embedding(Translation& t) {
  LAPIS_TRY(Value * indices, as_indices(t, 0));
  LAPIS_TRY(const Ranged table, ranged(t, 1, 2));
  Formula f(t);
  return finish(t, f, f.op(ops::Gather, {table.integers, indices}), table.range);
}

}  // namespace lapis::mxnet_frontend
