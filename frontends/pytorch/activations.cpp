// Activations and softmaxes.
#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

// Numbers without a sign are as they are.
Status relu(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, x->dtype() == DType::UInt8 ? Result<Value*>(x) : t.add(ops::Relu, {x}));
}

// x where it lies outside of [-lambd, lambd], else 0.
Status hardshrink(Translation& t) {
  Args a(t);
  const double limit = a.number("lambd", 0.5);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  Formula f(t);
  Value* inside = f.op(ops::LessOrEqual, {f.op(ops::Abs, {x}), f.number(limit, x->dtype())});
  Value* y = f.where({inside, f.number(0, x->dtype()), x});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// How far x lies outside of [-lambd, lambd].
Status softshrink(Translation& t) {
  Args a(t);
  const double limit = a.number("lambd", 0.5);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  Formula f(t);
  Value* inside = f.op(ops::Clip, {x, f.number(-limit, x->dtype()), f.number(limit, x->dtype())});
  Value* y = f.sub({x, inside});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

Result<Value*> clipped(Translation& t, Value* x, double low, double high) {
  return t.add(ops::Clip, {x, number_like(t, low, x), number_like(t, high, x)});
}

Status relu6(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, clipped(t, x, 0, 6));
}

Status hardtanh(Translation& t) {
  Args a(t);
  const double low = a.number("min_val", -1), high = a.number("max_val", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, clipped(t, x, low, high));
}

Status hardsigmoid(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::HardSigmoid, {x}, ops::HardSigmoidAttrs{1.0f / 6, 0.5f}));
}

Status silu(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * gate, t.add(ops::Sigmoid, {x}));
  return finish(t, t.add(ops::Mul, {x, gate}));
}

Status gelu(Translation& t) {
  Args a(t);
  const ops::GeluAttrs attributes{a.word("approximate", "none")};
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::Gelu, {x}, attributes));
}

Status leaky_relu(Translation& t) {
  Args a(t);
  const ops::LeakyReluAttrs attributes{static_cast<float>(a.number("negative_slope", 0.01))};
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::LeakyRelu, {x}, attributes));
}

// below * (e^(inner x) - 1) up to 0, above * x beyond.
struct Exponential {
  double below, above, inner;
};
Status finish_exponential(Translation& t, Value* x, const Exponential& e) {
  Formula f(t);
  const auto number = [&](double value) { return f.number(value, x->dtype()); };
  Value* power = f.op(ops::Exp, {f.mul({f.min({x, number(0)}), number(e.inner)})});
  Value* below = f.mul({f.sub({power, number(1)}), number(e.below)});
  Value* y = f.where({f.greater({x, number(0)}), f.mul({x, number(e.above)}), below});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

Status elu(Translation& t) {
  Args a(t);
  const ops::AlphaAttrs attributes{static_cast<float>(a.number("alpha", 1))};
  const double scale = a.number("scale", 1), input_scale = a.number("input_scale", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (input_scale != 1) return finish_exponential(t, x, {attributes.alpha * scale, scale, input_scale});
  LAPIS_TRY(Value * y, t.add(ops::Elu, {x}, attributes));
  return finish(t, scale == 1 ? Result<Value*>(y) : t.add(ops::Mul, {y, number_like(t, scale, y)}));
}

Status celu(Translation& t) {
  Args a(t);
  const double alpha = a.number("alpha", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (x->dtype() != DType::Float32) return finish_exponential(t, x, {alpha, 1, 1 / alpha});
  return finish(t, t.add(ops::Celu, {x}, ops::AlphaAttrs{static_cast<float>(alpha)}));
}

// One slope, or one a channel of axis 1.
Status prelu(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * slopes, a.tensor("weight"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank > 2 && slopes->type().ranked() && slopes->type().rank() == 1) {
    Shape shape(static_cast<size_t>(rank) - 1, 1);
    shape[0] = -1;
    LAPIS_TRY(slopes, frontend::reshape(t, slopes, shape));
  }
  return finish(t, t.add(ops::PRelu, {x, slopes}));
}

// log(1 + exp(beta x)) / beta. Beyond the threshold PyTorch gives x itself,
// which the logarithm rounds to in float where the threshold is 20 or more.
Status softplus(Translation& t) {
  Args a(t);
  const double beta = a.number("beta", 1), threshold = a.number("threshold", 20);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (beta == 1 && threshold >= 20) return finish(t, t.add(ops::Softplus, {x}));
  Formula f(t);
  Value* scaled = f.mul({x, f.number(beta, x->dtype())});
  Value* curve = f.div({f.op(ops::Softplus, {scaled}), f.number(beta, x->dtype())});
  Value* y = f.where({f.greater({scaled, f.number(threshold, x->dtype())}), x, curve});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

Status log_sigmoid(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * opposite, t.add(ops::Neg, {x}));
  LAPIS_TRY(Value * sum, t.add(ops::Softplus, {opposite}));
  return finish(t, t.add(ops::Neg, {sum}));
}

// What is no number lies above nothing and below nothing: it stays.
Status threshold(Translation& t) {
  Args a(t);
  const double limit = a.number("threshold", 0), value = a.number("value", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * reaches, t.add(ops::LessOrEqual, {x, number_like(t, limit, x)}));
  return finish(t, t.add(ops::Where, {reaches, number_like(t, value, x), x}));
}

// The first half of an axis, gated by the second.
Status glu(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", -1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const std::vector<Value*> halves,
            t.add_all(ops::Split, {x}, encode_attributes(ops::SplitAttrs{dim, 2}), 2));
  LAPIS_TRY(Value * gate, t.add(ops::Sigmoid, {halves[1]}));
  return finish(t, t.add(ops::Mul, {halves[0], gate}));
}

Status softmax_of(Translation& t, const OpDef& op) {
  Args a(t);
  const int64_t dim = a.integer("dim", -1);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, dtype ? frontend::cast(t, x, *dtype) : as_real(t, x));
  return finish(t, t.add(op, {x}, ops::SoftmaxAttrs{dim}));
}

Status softmax(Translation& t) { return softmax_of(t, ops::Softmax); }
Status log_softmax(Translation& t) { return softmax_of(t, ops::LogSoftmax); }

constexpr AtenRow kRows[] = {
    {"aten._log_softmax", "self dim half_to_float", log_softmax},
    {"aten._softmax", "self dim half_to_float", softmax},
    {"aten.celu", "self alpha", celu},
    {"aten.elu", "self alpha scale input_scale", elu},
    {"aten.gelu", "self *approximate", gelu},
    {"aten.glu", "self dim", glu},
    {"aten.hardsigmoid", "self", hardsigmoid},
    {"aten.hardswish", "self", unary<ops::HardSwish>},
    {"aten.hardtanh", "self min_val max_val", hardtanh},
    {"aten.hardshrink", "self lambd", hardshrink},
    {"aten.leaky_relu", "self negative_slope", leaky_relu},
    {"aten.log_sigmoid", "self", log_sigmoid},
    {"aten.log_softmax", "self dim dtype", log_softmax},
    {"aten.mish", "self", unary<ops::Mish>},
    {"aten.prelu", "self weight", prelu},
    {"aten.relu", "self", relu},
    {"aten.relu6", "self", relu6},
    {"aten.selu", "self", unary<ops::Selu>},
    {"aten.sigmoid", "self", real<ops::Sigmoid>},
    {"aten.silu", "self", silu},
    {"aten.softmax", "self dim dtype", softmax},
    {"aten.softplus", "self beta threshold", softplus},
    {"aten.softshrink", "self lambd", softshrink},
    {"aten.tanh", "self", real<ops::Tanh>},
    {"aten.threshold", "self threshold value", threshold},
};

}  // namespace

std::span<const AtenRow> activation_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
