// fold-batch-norm: whatever multiplies or shifts the channels of a contraction's result with constants becomes part of
// its weights.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

// A Conv, ConvTranspose, Gemm or MatMul with constant weights: y[..., channel, ...] = sum(x * w[channel]) + b[channel].
struct Contraction {
  Node* node = nullptr;
  Value *x = nullptr, *w = nullptr, *b = nullptr;
  int64_t channels = 0;
  int64_t channel_axis = 0;  // of the result
};

bool is_gemm(const Node& node) { return node.is(ops::Gemm) || node.is(ops::MatMul); }

// Weights as four axes: output channel g * channels + c has its elements at [g, :, c, :].
struct Layout {
  int64_t groups, before, channels, behind;
  Shape shape() const { return {groups, before, channels, behind}; }
  int64_t all_channels() const { return groups * channels; }
  size_t channel_of(size_t element) const {
    const auto i = static_cast<int64_t>(element);
    return static_cast<size_t>(i / (before * channels * behind) * channels + i / behind % channels);
  }
};

Layout layout_of(const Node& node, const Shape& w) {
  const auto behind = [&](ptrdiff_t axis) { return element_count(Shape(w.begin() + axis, w.end())); };
  // [in, out / group, ...]: the output channels of group g stand beside the inputs of group g
  if (node.is(ops::ConvTranspose)) {
    const int64_t groups = node.attrs<ops::ConvTransposeAttrs>().group;
    return {groups, w[0] / groups, w[1], behind(2)};
  }
  const bool rows = node.is(ops::Conv) || (node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transB);
  return rows ? Layout{1, 1, w[0], behind(1)} : Layout{1, w[0], w[1], 1};
}

// The contraction that alone computes `value`, if its weights can be changed.
std::optional<Contraction> contraction(Value& value, const Graph& scope) {
  Contraction c;
  const auto weighted = any_of({&ops::Conv, &ops::ConvTranspose, &ops::Gemm, &ops::MatMul}, bind(c.x), constant(c.w),
                               optional(constant(c.b)));
  if (!once(weighted)(&value, scope)) return std::nullopt;
  c.node = value.producer();
  const Shape& w = c.w->constant().shape();
  if (!value.type().ranked() || !facts::is_float(value) || (is_gemm(*c.node) && w.size() != 2)) return std::nullopt;
  c.channels = layout_of(*c.node, w).all_channels();
  c.channel_axis = is_gemm(*c.node) ? value.type().rank() - 1 : 1;
  return c;
}

// One number a channel, from a constant that broadcasts against a value of the given rank; nullopt if it varies along
// other axes.
std::optional<Tensor> per_channel(const Tensor& c, int64_t rank, int64_t channel_axis, int64_t channels) {
  if (c.rank() > rank) return std::nullopt;
  const int64_t shift = rank - c.rank();
  for (int64_t i = 0; i < c.rank(); ++i)
    if (c.dim(i) != 1 && (i + shift != channel_axis || c.dim(i) != channels)) return std::nullopt;
  if (c.size() == channels) return c.reshaped({channels});
  Result<Tensor> spread = evaluate_op(ops::Expand, {c.reshaped({1}), Tensor::vector<int64_t>({channels})});
  return spread.ok() ? std::optional(*std::move(spread)) : std::nullopt;
}

Value* as_type(Value* constant, DType type, Rewriter& rw) {
  return constant->dtype() == type ? constant : rw.fold(ops::Cast, {constant}, {{"to", static_cast<int64_t>(type)}});
}

// Halves are computed with as floats and rounded once.
DType computed_in(DType type) { return bit_width(type) < bit_width(DType::Float32) ? DType::Float32 : type; }

// The weights with each output channel multiplied by its scale, in the type of the scale.
Value* scaled_weights(const Contraction& c, Value* scale, Rewriter& rw) {
  const Shape& w = c.w->constant().shape();
  const Layout as = layout_of(*c.node, w);
  Value* apart = rw.reshape(as_type(c.w, scale->dtype(), rw), as.shape());
  return rw.reshape(rw.fold(ops::Mul, {apart, rw.reshape(scale, {as.groups, 1, as.channels, 1})}), w);
}

double lowest_normal(DType type) {
  if (type == DType::Float16) return std::ldexp(1.0, -14);
  return type == DType::Float64 ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
}

// Whether a channel whose weights are all subnormal numbers, which have few digits, shows that beside its bias.
bool is_hidden_by(double bias, double lowest_normal) {
  constexpr double kLargestInput = 65536;
  return bias >= lowest_normal * kLargestInput;
}

// Some channel's weights would be so small a part of what they were that they lose digits all together.
bool loses_digits(const Contraction& c, const Tensor& scale, const Value* bias) {
  const Layout as = layout_of(*c.node, c.w->constant().shape());
  std::vector<double> largest(static_cast<size_t>(c.channels));
  const std::vector<double> w = ops::to_doubles(c.w->constant());
  for (size_t i = 0; i < w.size(); ++i) {
    double& channel = largest[as.channel_of(i)];
    channel = std::max(channel, std::abs(w[i]));
  }
  const double lowest = lowest_normal(c.w->dtype());
  for (int64_t i = 0; i < c.channels; ++i) {
    const double before = largest[static_cast<size_t>(i)], factor = std::abs(scale.as_double(i));
    const double beside = bias && bias->constant().size() == c.channels ? std::abs(bias->constant().as_double(i)) : 0;
    if (before > 0 && factor > 0 && before * factor < lowest && !is_hidden_by(beside, lowest)) return true;
  }
  return false;
}

// The bias that Gemm's alpha * A * B + beta * C adds, or the others, with scale and shift folded in:
// computed in their type.
Value* folded_bias(const Contraction& c, Value* scale, Value* shift, DType type, Rewriter& rw) {
  if (!c.b) return shift;
  Value* b = as_type(c.b, type, rw);
  if (scale) b = rw.fold(ops::Mul, {b, scale});
  if (shift && c.node->is(ops::Gemm)) b = rw.fold(ops::Mul, {b, rw.scalar(c.node->attrs<ops::GemmAttrs>().beta, type)});
  return shift ? rw.fold(ops::Add, {b, shift}) : b;
}

// Of two summands the smaller one has no digits any more that it had.
bool is_rounded(const Value* sum, const Value* exact) {
  return ops::to_doubles(sum->constant()) != ops::to_doubles(exact->constant());
}

// Weights and bias with scale (or null) and shift (or null) of the channels folded in, in the type of the weights.
// Nullopt if it cannot hold them: where the result is a number they are numbers as well, and of as many digits.
struct Parameters {
  Value *w, *b;
};
std::optional<Parameters> folded_parameters(const Contraction& c, Value* scale, Value* shift, Rewriter& rw) {
  const DType type = c.w->dtype(), wide = computed_in(type);
  if (scale) scale = as_type(scale, wide, rw);
  if (shift) shift = as_type(shift, wide, rw);
  Value* w = scale ? as_type(scaled_weights(c, scale, rw), type, rw) : c.w;
  if (scale && !facts::is_finite(w->constant())) return std::nullopt;
  Value* exact = folded_bias(c, scale, shift, wide, rw);
  Value* b = exact ? as_type(exact, type, rw) : nullptr;
  if (b && (!facts::is_finite(b->constant()) || (!scale && is_rounded(b, exact)))) return std::nullopt;
  if (scale && loses_digits(c, scale->constant(), b)) return std::nullopt;
  return Parameters{w, b};
}

// The contraction with scale and shift folded in, or null; Gemm's alpha * A * B + beta * C keeps its factors.
Value* folded(const Contraction& c, Value* scale, Value* shift, Rewriter& rw) {
  const auto p = folded_parameters(c, scale, shift, rw);
  if (!p) return nullptr;
  Attributes attributes = c.node->attributes();
  if (shift) attributes.erase("beta");
  const OpDef& def = c.node->is(ops::MatMul) && p->b ? ops::Gemm : c.node->op();
  std::vector<Value*> operands = {c.x, p->w};
  if (p->b) operands.push_back(p->b);
  return rw.add(def, std::move(operands), std::move(attributes));
}

bool replace_by(Value& y, Value* contraction, Rewriter& rw) {
  return contraction ? rw.replace(y, contraction)
                     : rw.skip(y, "its weights or its bias would overflow, or lose digits");
}

// A MatMul has no bias, and only that of matrices can become a Gemm.
bool takes_shift(const Contraction& c) {
  return !c.node->is(ops::MatMul) || (c.x->type().ranked() && c.x->type().rank() == 2);
}

// x, its scale and bias, and its statistics may be of three types: the widest one.
DType widest_type(const Node& norm) {
  DType widest = norm.input(0)->dtype();
  for (const Value* operand : norm.inputs()) {
    if (bit_width(operand->dtype()) > bit_width(widest)) widest = operand->dtype();
    if (bit_width(operand->dtype()) == bit_width(widest) && operand->dtype() != widest) widest = DType::Float32;
  }
  return widest;
}

// BatchNormalization(x, scale, B, mean, var) as x * factor + shift, in one type; where a variance of 0 makes one of
// them infinite the two are not the same.
struct Affine {
  Value *factor, *shift;
  bool is_finite() const { return facts::is_finite(factor->constant()) && facts::is_finite(shift->constant()); }
};
Affine affine_of(const Node& norm, DType type, Rewriter& rw) {
  const float epsilon = norm.attrs<ops::BatchNormalizationAttrs>().epsilon;
  auto parameter = [&](size_t i) { return as_type(norm.input(i), type, rw); };
  Value *scale = parameter(1), *bias = parameter(2), *mean = parameter(3), *variance = parameter(4);
  Value* deviation = rw.fold(ops::Sqrt, {rw.fold(ops::Add, {variance, rw.scalar(epsilon, variance->dtype())})});
  Value* factor = rw.fold(ops::Div, {scale, deviation});
  return {factor, rw.fold(ops::Sub, {bias, rw.fold(ops::Mul, {mean, factor})})};
}

bool matches_batch_norm(Value& y, Value*& x, Node*& norm) {
  Value *scale, *bias, *mean, *variance;
  if (!match(y,
             op(ops::BatchNormalization, bind(x), constant(scale), constant(bias), constant(mean), constant(variance))
                 .as(norm)))
    return false;
  for (size_t i = 1; i < norm->outputs().size(); ++i)
    if (norm->output(i)) return false;
  return true;
}

// The results of a normalization lie around its bias, as far from it as its scale says. A bias of halves far above both
// has no digits for them.
bool hides_results(const Value* bias, const Node& norm) {
  constexpr double kFar = 4;
  const auto of = [](const Value* v, int64_t channel) { return std::abs(v->constant().as_double(channel)); };
  for (int64_t i = 0; i < bias->constant().size(); ++i)
    if (of(bias, i) > kFar * (of(norm.input(1), i) + of(norm.input(2), i))) return true;
  return false;
}

// BatchNormalization(Conv(x, w, b))  =>  Conv(x, w * f, b * f + s)        (f, s: what the normalization does to each
// channel)
bool batch_norm(Value& y, Rewriter& rw) {
  Value* x;
  Node* norm;
  if (!matches_batch_norm(y, x, norm) || widest_type(*norm) != x->dtype()) return false;
  const auto c = contraction(*x, y.graph());
  if (!c || c->channel_axis != 1 || !takes_shift(*c))
    return rw.skip(y, "its input is not computed by a contraction with constant weights for it alone");
  const Affine a = affine_of(*norm, computed_in(x->dtype()), rw);
  if (!a.is_finite()) return rw.skip(y, "its factors are not finite");
  Value* with = folded(*c, a.factor, a.shift, rw);
  if (with && computed_in(x->dtype()) != x->dtype() && hides_results(with->producer()->input(2), *norm))
    return rw.skip(y, "its mean is so far from 0 that halves cannot hold the bias that would take it");
  return replace_by(y, with, rw);
}

// BatchNormalization(x)  =>  Cast(Cast(x) * f + s)        (where no weights can take it; casts where types differ,
// and of halves, whose f and s may be far larger than the result)
bool batch_norm_alone(Value& y, Rewriter& rw) {
  Value* x;
  Node* norm;
  if (!matches_batch_norm(y, x, norm) || !x->type().ranked() || x->type().rank() < 2) return false;
  const DType type = computed_in(widest_type(*norm));
  const Affine a = affine_of(*norm, type, rw);
  if (!a.is_finite()) return rw.skip(y, "its factors are not finite");
  Shape shape(static_cast<size_t>(x->type().rank() - 1), 1);
  shape[0] = a.factor->constant().size();
  auto in_type = [&](Value* v, DType wanted) {
    return v->dtype() == wanted ? v : rw.add(ops::Cast, {v}, {{"to", static_cast<int64_t>(wanted)}});
  };
  Value* scaled = rw.add(ops::Mul, {in_type(x, type), rw.reshape(a.factor, shape)});
  return rw.replace(y, in_type(rw.add(ops::Add, {scaled, rw.reshape(a.shift, shape)}), x->dtype()));
}

// Conv(x, w, b) * c  =>  Conv(x, w * c, b * c)        (c constant for each channel)
bool scale_into_weights(Value& y, Rewriter& rw) {
  Value *z, *factor;
  if (!match(y, commutative(ops::Mul, bind(z), constant(factor)))) return false;
  const auto c = contraction(*z, y.graph());
  if (!c) return false;
  const auto scale = per_channel(factor->constant(), z->type().rank(), c->channel_axis, c->channels);
  if (!scale) return rw.skip(y, "the factor is not one number for each channel");
  if (c->b && c->b->constant().rank() > 1 && c->b->constant().size() != c->channels)
    return rw.skip(y, "the bias is a matrix");
  return replace_by(y, folded(*c, rw.constant(*scale), nullptr, rw), rw);
}

// Conv(x, w, b) + c  =>  Conv(x, w, b + c)        (c constant for each channel)
bool shift_into_bias(Value& y, Rewriter& rw) {
  Value *z, *added;
  if (!match(y, commutative(ops::Add, bind(z), constant(added)))) return false;
  const auto c = contraction(*z, y.graph());
  if (!c || !takes_shift(*c)) return false;
  const auto shift = per_channel(added->constant(), z->type().rank(), c->channel_axis, c->channels);
  if (!shift) return rw.skip(y, "the added constant is not one number for each channel");
  return replace_by(y, folded(*c, nullptr, rw.constant(*shift), rw), rw);
}

constexpr Rule kRules[] = {
    {"fold.batch-norm", batch_norm},
    {"fold.scale-into-weights", scale_into_weights},
    {"fold.shift-into-bias", shift_into_bias},
    {"fold.batch-norm-alone", batch_norm_alone},
};

}  // namespace

std::span<const Rule> scale_rules() { return kRules; }

}  // namespace lapis
