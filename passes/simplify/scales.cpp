// fold-batch-norm: whatever multiplies or shifts the channels of a contraction's result with constants becomes part of
// its weights.
#include "ir/match.h"
#include "ir/ops/attributes.h"
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

int64_t channels_of(const Node& node, const Shape& w) {
  if (node.is(ops::Conv)) return w[0];
  if (node.is(ops::ConvTranspose)) return w[1] * node.attrs<ops::ConvTransposeAttrs>().group;
  return node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transB ? w[0] : w.back();
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
  c.channels = channels_of(*c.node, w);
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

// The weights with each output channel multiplied by its scale.
Value* scaled_weights(const Contraction& c, Value* scale, Rewriter& rw) {
  const Shape& w = c.w->constant().shape();
  // [in, out / group, ...]: the output channels of group g stand beside the inputs of group g
  if (c.node->is(ops::ConvTranspose)) {
    const int64_t groups = c.node->attrs<ops::ConvTransposeAttrs>().group;
    Value* grouped = rw.fold(
        ops::Mul, {rw.reshape(c.w, {groups, w[0] / groups, w[1], -1}), rw.reshape(scale, {groups, 1, w[1], 1})});
    return rw.reshape(grouped, w);
  }
  const bool rows = c.node->is(ops::Conv) || (c.node->is(ops::Gemm) && c.node->attrs<ops::GemmAttrs>().transB);
  Shape shape(w.size(), 1);
  (rows ? shape.front() : shape.back()) = c.channels;
  return rw.fold(ops::Mul, {c.w, rw.reshape(scale, shape)});
}

// The product of weights that large and a factor that large may be beyond the type where the result was not.
bool overflows(const Value* before, const Value* after) {
  return facts::is_finite(before->constant()) && !facts::is_finite(after->constant());
}

// The contraction with scale (or null) and shift (or null) of its channels folded in; Gemm's alpha * A * B + beta * C
// keeps its factors. Null if its weights would overflow.
Value* folded(const Contraction& c, Value* scale, Value* shift, Rewriter& rw) {
  Value* w = scale ? scaled_weights(c, scale, rw) : c.w;
  if (overflows(c.w, w)) return nullptr;
  Value* b = c.b;
  Attributes attributes = c.node->attributes();
  if (c.b && scale) b = rw.fold(ops::Mul, {b, scale});
  if (shift && c.node->is(ops::Gemm) && b) {
    b = rw.fold(ops::Mul, {b, rw.scalar(c.node->attrs<ops::GemmAttrs>().beta, b->dtype())});
    b = rw.fold(ops::Add, {b, shift});
  } else if (shift) {
    b = b ? rw.fold(ops::Add, {b, shift}) : shift;
  }
  if (shift) attributes.erase("beta");
  const OpDef& def = c.node->is(ops::MatMul) && b ? ops::Gemm : c.node->op();
  std::vector<Value*> operands = {c.x, w};
  if (b) operands.push_back(b);
  return rw.add(def, std::move(operands), std::move(attributes));
}

bool replace_by(Value& y, Value* contraction, Rewriter& rw) {
  return contraction ? rw.replace(y, contraction) : rw.skip(y, "the scaled weights would overflow");
}

// A MatMul has no bias, and only that of matrices can become a Gemm.
bool takes_shift(const Contraction& c) {
  return !c.node->is(ops::MatMul) || (c.x->type().ranked() && c.x->type().rank() == 2);
}

// x, its scale and bias, and its statistics may be of three types: the widest one, or float for two kinds of halves.
DType widest_type(const Node& norm) {
  DType widest = norm.input(0)->dtype();
  for (const Value* operand : norm.inputs()) {
    if (bit_width(operand->dtype()) > bit_width(widest)) widest = operand->dtype();
    if (bit_width(operand->dtype()) == bit_width(widest) && operand->dtype() != widest) widest = DType::Float32;
  }
  return widest;
}

// BatchNormalization(x, scale, B, mean, var) as x * factor + shift, in one type; where a variance of 0 makes one of them
// infinite the two are not the same.
struct Affine {
  Value *factor, *shift;
  bool is_finite() const { return facts::is_finite(factor->constant()) && facts::is_finite(shift->constant()); }
};
Affine affine_of(const Node& norm, DType type, Rewriter& rw) {
  const float epsilon = norm.attrs<ops::BatchNormalizationAttrs>().epsilon;
  auto parameter = [&](size_t i) {
    Value* v = norm.input(i);
    return v->dtype() == type ? v : rw.fold(ops::Cast, {v}, {{"to", static_cast<int64_t>(type)}});
  };
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

// BatchNormalization(Conv(x, w, b))  =>  Conv(x, w * f, b * f + s)        (f, s: what the normalization does to each
// channel)
bool batch_norm(Value& y, Rewriter& rw) {
  Value* x;
  Node* norm;
  if (!matches_batch_norm(y, x, norm) || widest_type(*norm) != x->dtype()) return false;
  const auto c = contraction(*x, y.graph());
  if (!c || c->channel_axis != 1 || !takes_shift(*c))
    return rw.skip(y, "its input is not computed by a contraction with constant weights for it alone");
  const Affine a = affine_of(*norm, x->dtype(), rw);
  if (!a.is_finite()) return rw.skip(y, "its factors are not finite");
  return replace_by(y, folded(*c, a.factor, a.shift, rw), rw);
}

// BatchNormalization(x)  =>  Cast(Cast(x) * f + s)        (where no weights can take it; casts where types differ)
bool batch_norm_alone(Value& y, Rewriter& rw) {
  Value* x;
  Node* norm;
  if (!matches_batch_norm(y, x, norm) || !x->type().ranked() || x->type().rank() < 2) return false;
  const DType type = widest_type(*norm);
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
