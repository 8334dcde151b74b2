// Contractions and averages of dequantized values as integer sums with one float multiply.
#include <algorithm>
#include <cmath>
#include <set>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/forms.h"
#include "passes/quantize/integer.h"

namespace lapis {
namespace {

// A contraction whose operands are all integers, apart from how its result is used.
struct IntegerContraction {
  const Node* node = nullptr;
  Dequantized data;
  Tensor weight;                 // int8; of matrix products [K, N]
  Tensor weight_scales, scales;  // of the weight and of the accumulator: one, or one per output channel
  Tensor bias;                   // int32[channels]; undefined without a bias
  BiasError bias_error;          // of rounding it to units of the accumulator
  bool is_conv() const { return node->is(ops::Conv); }
};

bool is_contraction(const Node* node) {
  return node && (node->is(ops::Conv) || node->is(ops::Gemm) || node->is(ops::MatMul));
}

Diagnostic refuse(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

Status check_gemm(const Node& node) {
  if (!node.is(ops::Gemm)) return ok();
  const auto a = node.attrs<ops::GemmAttrs>();
  if (a.transA) return refuse("its first operand is transposed");
  if (a.alpha != 1 || (node.input(2) && a.beta != 1)) return refuse("alpha or beta is not 1");
  return ok();
}

int64_t channel_axis(const Node& node, int64_t weight_rank) {
  if (node.is(ops::Conv)) return 0;
  return node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transB ? 0 : weight_rank - 1;
}

// The sum of the magnitudes of each output channel's weights:
// [outputs][rest] of a convolution, [stacks][rows][outputs] of matrices.
std::vector<int64_t> magnitudes(const IntegerContraction& c) {
  const Shape& s = c.weight.shape();
  const bool matrix = !c.is_conv() && s.size() >= 2;
  const int64_t outputs = matrix ? s.back() : c.is_conv() ? s[0] : 1;
  const int64_t rows = matrix ? s[s.size() - 2] : 1;
  const int64_t stacks = matrix ? c.weight.size() / std::max<int64_t>(rows * outputs, 1) : 1;
  const int64_t inner = matrix ? 1 : c.weight.size() / std::max<int64_t>(outputs, 1);
  std::vector<int64_t> sums(static_cast<size_t>(std::max<int64_t>(stacks * outputs, 1)), 0);
  const int8_t* v = c.weight.data<int8_t>().data();
  for (int64_t stack = 0; stack < stacks; ++stack) {
    int64_t* sum = sums.data() + stack * outputs;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t i = 0; i < inner; ++i) sum[o] += std::abs(int64_t{*v++});
  }
  return sums;
}

// No data can carry a sum beyond 32 bits, where it would wrap and that of floats would not.
bool fits_accumulator(const IntegerContraction& c) {
  const IntegerRange range = integer_range(c.data.scale.dtype);
  const int64_t zero = c.data.scale.zero,
                largest = std::max(zero - range.lowest, static_cast<int64_t>(range.highest) - zero);
  int64_t bias = 0;
  for (int64_t i = 0; c.bias.defined() && i < c.bias.size(); ++i) bias = std::max(bias, std::abs(c.bias.as_int(i)));
  for (const int64_t sum : magnitudes(c))
    if (sum * largest + bias > INT32_MAX) return false;
  return true;
}

Tensor divided(Tensor scales, float by) {
  for (float& s : scales.mutable_data<float>()) s = s / by;
  return scales;
}

// Products and quotients of scales that are infinite,
// 0 or lose digits multiply otherwise than the scales one by one do.
bool is_multiplier(const Tensor& values) {
  const auto numbers = values.data<float>();
  return std::all_of(numbers.begin(), numbers.end(), [](float v) { return std::isnormal(v); });
}
constexpr std::string_view kNoMultiplier = "its scales together are beyond the range of float";

// The contraction of this data without its bias, or why its weights are no integers.
Result<IntegerContraction> contraction_of(const Node& node, const Dequantized& data) {
  IntegerContraction c;
  c.node = &node;
  c.data = data;
  if (!node.input(1)->type().ranked()) return refuse("its weights are not constant");
  const int64_t axis = channel_axis(node, node.input(1)->type().rank());
  LAPIS_TRY(const IntegerWeight weight, integer_weight(node.input(1), axis));
  if (!c.is_conv() && weight.values.rank() != 2 && weight.scales.size() != 1)
    return refuse("stacked weights with scales per channel");
  c.weight = weight.values;
  if (!c.is_conv() && axis == 0 && weight.values.rank() == 2) {
    LAPIS_TRY(c.weight, evaluate_op(ops::Transpose, {weight.values}));
  }
  c.weight_scales = weight.scales;
  c.scales = accumulator_scales(data.scale.s, weight.scales);
  if (!is_multiplier(c.scales)) return refuse(std::string(kNoMultiplier));
  return c;
}

// The contraction, or which of its operands is not an integer.
Result<IntegerContraction> integer_contraction(const Node& node) {
  LAPIS_CHECK(check_gemm(node));
  const auto data = dequantized(node.input(0));
  if (!data || data->bytes->is_constant())
    return refuse("its data '" + node.input(0)->name() + "' is not dequantized from 8 bits with one constant scale");
  LAPIS_TRY(IntegerContraction c, contraction_of(node, *data));
  if (node.input(2)) {
    const int64_t channels = c.is_conv() ? c.weight.dim(0) : c.weight.dim(-1);
    const auto bias = integer_bias(node.input(2), c.scales, channels);
    if (!bias) return refuse("its bias is not a finite constant per output channel that fits int32");
    c.bias = *bias;
    c.bias_error = bias_error(node.input(2), c.bias, c.scales);
  }
  if (!fits_accumulator(c)) return refuse("its sums may exceed 32 bits");
  return c;
}

// One number a channel as an operand that broadcasts against the result.
Value* per_channel(const IntegerContraction& c, Tensor values, Rewriter& rw) {
  if (values.size() == 1 && values.dtype() == DType::Float32) return rw.constant(values.reshaped({}));
  if (!c.is_conv()) return rw.constant(std::move(values));
  Shape shape(static_cast<size_t>(c.weight.rank()), 1);
  shape[1] = values.size();
  return rw.constant(values.reshaped(shape));
}

// Cast(ConvInteger(x, w, zx) + bias) as float
Value* accumulate(const IntegerContraction& c, Rewriter& rw) {
  Value* zero = scalar_zero_point(c.data.scale, rw);
  Value* weight = rw.constant(c.weight);
  Value* sum = rw.add(c.is_conv() ? ops::ConvInteger : ops::MatMulInteger, {c.data.bytes, weight, zero},
                      c.is_conv() ? c.node->attributes() : Attributes{});
  if (c.bias.defined()) sum = rw.add(ops::Add, {sum, per_channel(c, c.bias, rw)});
  return rw.add(ops::Cast, {sum}, {{"to", static_cast<int64_t>(DType::Float32)}});
}

// What the activation in front of a quantizer leaves to be done on the integers: nothing if the quantizer saturates
// there anyway.
Value* clipped(Value* bytes, Range bounds, const TensorScale& scale, Rewriter& rw) {
  const IntegerRange all = integer_range(scale.dtype);
  const ByteRange kept = quantized_bounds(bounds, scale);
  if (kept.lowest == all.lowest && kept.highest == static_cast<int64_t>(all.highest)) return bytes;
  const auto byte = [&](int64_t v) {
    return rw.constant(scale.dtype == DType::UInt8 ? Tensor::scalar(static_cast<uint8_t>(v))
                                                   : Tensor::scalar(static_cast<int8_t>(v)));
  };
  return rw.add(ops::Clip, {bytes, byte(kept.lowest), byte(kept.highest)});
}

struct QuantizedContraction {
  Quantizer quantizer;
  Range bounds;
  IntegerContraction contraction;
};

// Q(act?(contraction(DQ x, DQ w, b))) as far as the operator is one of the wanted; says why an almost fitting one is
// not.
template <class IsWanted>
std::optional<QuantizedContraction> quantized_contraction(Value& y, Rewriter& rw, IsWanted&& is_wanted) {
  auto q = quantizer(y);
  if (!q) return std::nullopt;
  const Range bounds = strip_activations(q->real);
  const Node* node = q->real->producer();
  if (!is_contraction(node) || !is_wanted(*node)) return std::nullopt;
  if (!q->real->used_once()) {
    rw.skip(y, "the float result of '" + node->name() + "' has other readers");
    return std::nullopt;
  }
  auto c = integer_contraction(*node);
  if (c.ok() && !is_multiplier(divided(c->scales, q->scale.s))) {
    rw.skip(y, "'" + node->name() + "': " + std::string(kNoMultiplier));
    return std::nullopt;
  }
  if (c.ok() && c->bias_error.error > q->scale.s / 2) {
    rw.skip(y, "'" + node->name() + "': its bias is finer than the products and would move results by a step");
    return std::nullopt;
  }
  if (c.ok()) return QuantizedContraction{*q, bounds, *std::move(c)};
  rw.skip(y, "'" + node->name() + "': " + c.diagnostics().front().message);
  return std::nullopt;
}

// Q(act?(Conv(DQ x, DQ w, b)))  =>  act'(QLinearConv(x, w, b))
bool requantize_conv(Value& y, Rewriter& rw) {
  const auto m = quantized_contraction(y, rw, [](const Node& n) { return n.is(ops::Conv); });
  if (!m) return false;
  const IntegerContraction& c = m->contraction;
  const TensorScale &x = c.data.scale, &out = m->quantizer.scale;
  const Shape parameters = c.weight_scales.size() == 1 ? Shape{} : c.weight_scales.shape();
  std::vector<Value*> operands = {c.data.bytes,
                                  x.scale,
                                  zero_point_of(x, rw),
                                  rw.constant(c.weight),
                                  rw.constant(c.weight_scales.reshaped(parameters)),
                                  rw.constant(Tensor(DType::Int8, parameters)),
                                  out.scale,
                                  zero_point_of(out, rw)};
  if (c.bias.defined()) operands.push_back(rw.constant(c.bias));
  return rw.replace(y, clipped(rw.add(ops::QLinearConv, operands, c.node->attributes()), m->bounds, out, rw));
}

// Float to integers at scale 1: what follows a multiply by (sx * sw) / sy.
Value* round_to(Value* units, const TensorScale& scale, Rewriter& rw) {
  return rw.add(ops::QuantizeLinear, {units, rw.scalar(1, DType::Float32), scalar_zero_point(scale, rw)});
}

// Q(act?(Gemm|MatMul(DQ x, DQ w, b)))  =>  act'(Q1(Cast(MatMulInteger(x, w) + b) * m))
// m = (sx * sw) / sy, Q1 at scale 1
bool requantize_product(Value& y, Rewriter& rw) {
  const auto m = quantized_contraction(y, rw, [](const Node& n) { return !n.is(ops::Conv); });
  if (!m) return false;
  const IntegerContraction& c = m->contraction;
  const TensorScale& out = m->quantizer.scale;
  Value* units = rw.add(ops::Mul, {accumulate(c, rw), per_channel(c, divided(c.scales, out.s), rw)});
  return rw.replace(y, clipped(round_to(units, out, rw), m->bounds, out, rw));
}

bool is_scalar(const Value* v) { return v->is_constant() && v->constant().size() == 1 && v->type().ranked(); }

// QLinearMatMul(a, sa, za, b, sb, zb, sy, zy)  =>  Q1(Cast(MatMulInteger(a, b, za, zb)) * m)        m = (sa * sb) / sy
bool open_qlinear_matmul(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!node.is(ops::QLinearMatMul)) return false;
  const Value *sb = node.input(4), *zb = node.input(5);
  for (const size_t i : {1, 2, 6, 7})
    if (!is_scalar(node.input(i)))
      return rw.skip(y, "operand '" + std::string(node.op().input(i).name) + "' is not one constant");
  if (!sb->is_constant() || !zb->is_constant() || sb->type().rank() > 1 || sb->dtype() != DType::Float32)
    return rw.skip(y, "scale or zero point of b is not a float32 constant");
  const auto number = [&](size_t i) { return static_cast<float>(node.input(i)->constant().as_double(0)); };
  const Tensor multipliers = divided(accumulator_scales(number(1), sb->constant()), number(6));
  const auto parameter = [&](size_t i) {
    return node.input(i)->constant().size() == 1 ? rw.reshape(node.input(i), {}) : node.input(i);
  };
  Value* sum = rw.add(ops::MatMulInteger, {node.input(0), node.input(3), parameter(2), parameter(5)});
  Value* real = rw.add(ops::Cast, {sum}, {{"to", static_cast<int64_t>(DType::Float32)}});
  Value* units =
      rw.add(ops::Mul, {real, rw.constant(multipliers.size() == 1 ? multipliers.reshaped({}) : multipliers)});
  const TensorScale out{nullptr, node.input(7), 1, node.input(7)->constant().as_int(0), node.input(7)->dtype()};
  return rw.replace(y, round_to(units, out, rw));
}

// contraction(DQ x, DQ w, b)  =>  Cast(ConvInteger|MatMulInteger(x, w) + b) * (sx * sw)
bool accumulate_contraction(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!is_contraction(&node)) return false;
  const auto c = integer_contraction(node);
  if (!c.ok()) return rw.skip(y, c.diagnostics().front().message);
  constexpr double kLost = 1.0 / 16;  // of the largest number in the bias
  if (c->bias_error.error > kLost * c->bias_error.largest) return rw.skip(y, "its bias is finer than the products");
  return rw.replace(y, rw.add(ops::Mul, {accumulate(*c, rw), per_channel(*c, c->scales, rw)}));
}

// ---- scales that are computed ----

// The bias of a convolution as it broadcasts against the result; null if its shape is not known.
Value* bias_along_channels(const IntegerContraction& c, Rewriter& rw) {
  Value* bias = c.node->input(2);
  if (!c.is_conv()) return bias;
  if (!bias->type().ranked() || bias->type().rank() != 1) return nullptr;
  Shape shape(static_cast<size_t>(c.weight.rank()) - 1, 1);
  shape[0] = c.weight.dim(0);
  return bias->is_constant() ? rw.reshape(bias, shape) : rw.add(ops::Reshape, {bias, rw.ints(shape)});
}

// contraction(DQ x, DQ w, b), sx computed  =>  Cast(ConvInteger|MatMulInteger(x, w)) * sx * sw + b
bool accumulate_by_computed_scale(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  const auto data = is_contraction(&node) ? dequantized_by_computed_scale(node.input(0)) : std::nullopt;
  if (!data || data->bytes->is_constant() || !check_gemm(node).ok()) return false;
  const auto c = contraction_of(node, *data);
  if (!c.ok()) return rw.skip(y, c.diagnostics().front().message);
  if (!fits_accumulator(*c)) return rw.skip(y, "its sums may exceed 32 bits");
  Value* bias = node.input(2) ? bias_along_channels(*c, rw) : nullptr;
  if (node.input(2) && !bias) return rw.skip(y, "the rank of its bias is not known");
  Value* real = rw.add(ops::Mul, {accumulate(*c, rw), data->scale.scale});
  real = rw.add(ops::Mul, {real, per_channel(*c, c->scales, rw)});
  return rw.replace(y, bias ? rw.add(ops::Add, {real, bias}) : real);
}

// ---- products of two computed operands ----

struct ComputedProduct {
  Dequantized a, b;
  float scale = 1;  // of the sums
};

// No bytes can make a sum of that many products exceed 32 bits.
bool fits_accumulator(const ComputedProduct& p, const Dim& length) {
  const auto largest = [](const TensorScale& scale) {
    const IntegerRange range = integer_range(scale.dtype);
    return std::max(scale.zero - range.lowest, static_cast<int64_t>(range.highest) - scale.zero);
  };
  return length.is_constant() &&
         length.value() <= INT32_MAX / std::max<int64_t>(largest(p.a.scale) * largest(p.b.scale), 1);
}

// MatMul(DQ a, DQ b) of computed a and b, or nothing; says why an almost fitting one is not.
std::optional<ComputedProduct> computed_product(const Node& node, Value& y, Rewriter& rw) {
  if (!node.is(ops::MatMul) || node.input(1)->is_constant()) return std::nullopt;
  const auto a = dequantized(node.input(0)), b = dequantized(node.input(1));
  if (!a || !b || a->bytes->is_constant() || b->bytes->is_constant()) return std::nullopt;
  const ComputedProduct p{*a, *b, a->scale.s * b->scale.s};
  const Type& type = node.input(0)->type();
  const char* const why = !std::isnormal(p.scale)                           ? kNoMultiplier.data()
                          : !type.ranked() || type.rank() < 1               ? "the rank of its operand is not known"
                          : !fits_accumulator(p, type.dim(type.rank() - 1)) ? "its sums may exceed 32 bits"
                                                                            : nullptr;
  if (!why) return p;
  rw.skip(y, why);
  return std::nullopt;
}

// Cast(MatMulInteger(a, b, za, zb)) * multiplier
Value* real_product(const ComputedProduct& p, float multiplier, Rewriter& rw) {
  Value* sum = rw.add(ops::MatMulInteger,
                      {p.a.bytes, p.b.bytes, scalar_zero_point(p.a.scale, rw), scalar_zero_point(p.b.scale, rw)});
  Value* real = rw.add(ops::Cast, {sum}, {{"to", static_cast<int64_t>(DType::Float32)}});
  return rw.add(ops::Mul, {real, rw.scalar(multiplier, DType::Float32)});
}

// Q(act?(MatMul(DQ a, DQ b)))  =>  act'(Q1(Cast(MatMulInteger(a, b)) * m))        m = (sa * sb) / sy
bool requantize_computed_product(Value& y, Rewriter& rw) {
  auto q = quantizer(y);
  if (!q) return false;
  const Range bounds = strip_activations(q->real);
  const Node* node = q->real->producer();
  if (!node || !q->real->used_once()) return false;
  const auto p = computed_product(*node, y, rw);
  if (!p) return false;
  const float multiplier = p->scale / q->scale.s;
  if (!std::isnormal(multiplier)) return rw.skip(y, std::string(kNoMultiplier));
  return rw.replace(y, clipped(round_to(real_product(*p, multiplier, rw), q->scale, rw), bounds, q->scale, rw));
}

// MatMul(DQ a, DQ b)  =>  Cast(MatMulInteger(a, b)) * (sa * sb)
bool accumulate_computed_product(Value& y, Rewriter& rw) {
  const auto p = computed_product(*y.producer(), y, rw);
  return p && rw.replace(y, real_product(*p, p->scale, rw));
}

// ---- averages ---------------------------------------------------------------------------------------------------

// One window over all of the axes.
bool covers(const ops::AveragePoolAttrs& a, const Type& x, const std::vector<int64_t>& axes) {
  const auto zero = [](int64_t p) { return p == 0; };
  if (!std::all_of(a.pads.begin(), a.pads.end(), zero) || (a.auto_pad != "NOTSET" && a.auto_pad != "VALID"))
    return false;
  for (size_t i = 0; i < axes.size(); ++i)
    if (!x.dim(axes[i]).is(a.kernel_shape[i]) || (!a.dilations.empty() && a.dilations[i] != 1)) return false;
  return true;
}

// Axes that a node averages over, if it covers each of them wholly; nullopt otherwise.
std::optional<std::vector<int64_t>> averaged_axes(const Node& node) {
  const Type& x = node.input(0)->type();
  std::vector<int64_t> axes;
  if (node.is(ops::ReduceMean)) {
    if (!node.input(1) || !node.input(1)->is_constant()) return std::nullopt;
    for (int64_t a : node.input(1)->constant().as_ints()) axes.push_back(a < 0 ? a + x.rank() : a);
    const std::set<int64_t> each(axes.begin(), axes.end());
    return axes.empty() || each.size() != axes.size() ? std::nullopt : std::optional(axes);
  }
  for (int64_t a = 2; a < x.rank(); ++a) axes.push_back(a);
  if (node.is(ops::GlobalAveragePool)) return axes;
  return covers(node.attrs<ops::AveragePoolAttrs>(), x, axes) ? std::optional(axes) : std::nullopt;
}

// Values that an int32 can sum, whatever bytes they are; nullopt if there are more or none.
std::optional<int64_t> summable(const std::vector<int64_t>& extents) {
  int64_t count = 1;
  for (int64_t n : extents)
    if (n <= 0 || __builtin_mul_overflow(count, n, &count)) return std::nullopt;
  return count < INT32_MAX / 255 ? std::optional(count) : std::nullopt;
}

std::optional<int64_t> static_count(const Type& x, const std::vector<int64_t>& axes) {
  std::vector<int64_t> extents;
  for (int64_t a : axes) {
    if (!x.dim(a).is_constant()) return std::nullopt;
    extents.push_back(x.dim(a).value());
  }
  return summable(extents);
}

// Cast(sum of the integers minus their zero points) * (sx / n)
Value* mean_of(const Dequantized& x, const std::vector<int64_t>& axes, int64_t count, bool keepdims, Rewriter& rw) {
  Value* wide = rw.add(ops::Cast, {x.bytes}, {{"to", static_cast<int64_t>(DType::Int32)}});
  Value* sum = rw.add(ops::ReduceSum, {wide, rw.ints(axes)}, {{"keepdims", int64_t{keepdims}}});
  if (x.scale.zero != 0)
    sum = rw.add(ops::Sub, {sum, rw.constant(Tensor::scalar(static_cast<int32_t>(count * x.scale.zero)))});
  Value* real = rw.add(ops::Cast, {sum}, {{"to", static_cast<int64_t>(DType::Float32)}});
  return rw.add(ops::Mul, {real, rw.scalar(x.scale.s / static_cast<float>(count), DType::Float32)});
}

bool is_average(const Node& node) {
  return node.is(ops::GlobalAveragePool) || node.is(ops::AveragePool) || node.is(ops::ReduceMean);
}

// mean(DQ x) over whole axes  =>  Cast(ReduceSum(Cast<int32>(x)) - n * zx) * (sx / n)
bool average_whole_axes(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!is_average(node)) return false;
  const auto x = dequantized(node.input(0));
  if (!x) return rw.skip(y, "its operand is not dequantized from 8 bits with one constant scale");
  if (!node.input(0)->type().ranked()) return rw.skip(y, "the rank of its operand is not known");
  const auto axes = averaged_axes(node);
  if (!axes) return node.is(ops::AveragePool) ? false : rw.skip(y, "its axes are not constant");
  const auto count = static_count(node.input(0)->type(), *axes);
  if (!count)
    return rw.skip(y,
                   "the number of averaged values is not known or too large (bind the symbols with --dim or --shape)");
  if (!std::isnormal(x->scale.s / static_cast<float>(*count))) return rw.skip(y, std::string(kNoMultiplier));
  const bool keepdims = !node.is(ops::ReduceMean) || node.attrs<ops::ReduceAttrs>().keepdims;
  return rw.replace(y, mean_of(*x, *axes, *count, keepdims, rw));
}

// AveragePool(DQ x), every window of n values  =>  Cast(ConvInteger(x, 1)) * (sx / n)
// Depthwise; padding counts as 0.
bool average_windows(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!node.is(ops::AveragePool)) return false;
  const auto x = dequantized(node.input(0));
  if (!x || !node.input(0)->type().ranked() || averaged_axes(node)) return false;
  const auto a = node.attrs<ops::AveragePoolAttrs>();
  const bool padded = a.auto_pad != "NOTSET"
                          ? a.auto_pad != "VALID"
                          : std::any_of(a.pads.begin(), a.pads.end(), [](int64_t p) { return p != 0; });
  const Dim channels = node.input(0)->type().dim(1);
  if (a.ceil_mode || (padded && !a.count_include_pad) || !channels.is_constant())
    return rw.skip(y, "its windows do not all hold the same number of values");
  const auto count = summable(a.kernel_shape);
  if (!count) return rw.skip(y, "the sums of its windows may exceed 32 bits");
  const float factor = x->scale.s / static_cast<float>(*count);
  if (!std::isnormal(factor)) return rw.skip(y, std::string(kNoMultiplier));
  Shape shape = {channels.value(), 1};
  shape.insert(shape.end(), a.kernel_shape.begin(), a.kernel_shape.end());
  const Tensor ones = Tensor::of<int8_t>(shape, std::vector<int8_t>(static_cast<size_t>(element_count(shape)), 1));
  const ops::ConvAttrs conv{a.auto_pad, a.dilations, channels.value(), a.kernel_shape, a.pads, a.strides};
  Value* sum = rw.add(ops::ConvInteger, {x->bytes, rw.constant(ones), scalar_zero_point(x->scale, rw)}, conv);
  Value* real = rw.add(ops::Cast, {sum}, {{"to", static_cast<int64_t>(DType::Float32)}});
  return rw.replace(y, rw.add(ops::Mul, {real, rw.scalar(factor, DType::Float32)}));
}

constexpr Rule kRequantizeRules[] = {
    {"integer.requantize-conv", requantize_conv},
    {"integer.requantize-computed-product", requantize_computed_product},  // before constant weights say why not
    {"integer.requantize-product", requantize_product},
    {"integer.open-qlinear-matmul", open_qlinear_matmul},
};
constexpr Rule kAccumulateRules[] = {
    {"integer.accumulate-computed-product", accumulate_computed_product},
    {"integer.accumulate-by-computed-scale", accumulate_by_computed_scale},  // before constant scales say why not
    {"integer.accumulate-contraction", accumulate_contraction},
    {"integer.average-whole-axes", average_whole_axes},
    {"integer.average-windows", average_windows},
};

}  // namespace

std::span<const Rule> requantize_rules() { return kRequantizeRules; }
std::span<const Rule> accumulate_rules() { return kAccumulateRules; }

}  // namespace lapis
