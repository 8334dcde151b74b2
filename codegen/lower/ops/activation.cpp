// Activations.
#include <cmath>
#include <numbers>

#include "codegen/lower/ops/families.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

int relu(Scalar& s) { return s.op(Op::AtLeast, {s.in(0), s.k(0)}); }

int scaled_if_negative(Scalar& s, int slope) {
  const int x = s.in(0);
  return s.select({s.less({x, s.k(0)}), s.mul({x, slope}), x});
}
int leaky_relu(Scalar& s) { return scaled_if_negative(s, s.k(s.attrs<ops::LeakyReluAttrs>().alpha)); }
int prelu(Scalar& s) { return scaled_if_negative(s, s.in(1)); }

// alpha * (exp(x) - 1)
int exponential_tail(Scalar& s, double alpha) { return s.mul({s.k(alpha), s.op(Op::Expm1, {s.in(0)})}); }
int elu(Scalar& s) {
  const int x = s.in(0), tail = exponential_tail(s, s.attrs<ops::AlphaAttrs>().alpha);
  return s.select({s.less({x, s.k(0)}), tail, x});
}
// Its tail has zero, which matters where alpha is infinite.
int selu(Scalar& s) {
  const auto a = s.attrs<ops::SeluAttrs>();
  const int x = s.in(0), tail = exponential_tail(s, a.alpha);
  const int y = s.select({s.less({s.k(0), x}), x, tail});
  return a.gamma == 1 ? y : s.mul({s.k(a.gamma), y});
}
int celu(Scalar& s) {
  const double alpha = s.attrs<ops::AlphaAttrs>().alpha;
  const int x = s.in(0);
  const int tail = s.mul({s.k(alpha), s.op(Op::Expm1, {s.op(Op::Div, {x, s.k(alpha)})})});
  return s.select({s.less({s.k(0), x}), x, tail});
}

int unit_clamp(Scalar& s, int x) { return s.op(Op::AtLeast, {s.op(Op::AtMost, {x, s.k(1)}), s.k(0)}); }
int hard_sigmoid_of(Scalar& s, double alpha, double beta) {
  return unit_clamp(s, s.add({s.mul({s.k(alpha), s.in(0)}), s.k(beta)}));
}
int hard_sigmoid(Scalar& s) {
  const auto a = s.attrs<ops::HardSigmoidAttrs>();
  return hard_sigmoid_of(s, a.alpha, a.beta);
}
int hard_swish(Scalar& s) { return s.mul({s.in(0), hard_sigmoid_of(s, static_cast<float>(1.0 / 6), 0.5)}); }

// By functions that are accurate in their lower tails, where 1 + erf(x) and 1 + tanh(x) = 2 sigmoid(2 x) would cancel.
int gelu(Scalar& s) {
  const int x = s.in(0);
  if (s.attrs<ops::GeluAttrs>().approximate != "tanh") return s.mul({x, s.op(Op::NormalCdf, {x})});
  const int cubic = s.mul({s.mul({s.mul({x, x}), x}), s.k(0.044715)});
  return s.mul({x, s.op(Op::Sigmoid, {s.mul({s.k(2 * std::sqrt(2 / std::numbers::pi)), s.add({x, cubic})})})});
}

// log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(-|x|))
int softplus_of(Scalar& s, int x) {
  const int decay = s.op(Op::Exp, {s.op(Op::Neg, {s.op(Op::Abs, {x})})});
  return s.add({s.op(Op::AtLeast, {x, s.k(0)}), s.op(Op::Log1p, {decay})});
}
int softplus(Scalar& s) { return softplus_of(s, s.in(0)); }
int mish(Scalar& s) { return s.mul({s.in(0), s.op(Op::Tanh, {softplus_of(s, s.in(0))})}); }
int swish(Scalar& s) {
  return s.mul({s.in(0), s.op(Op::Sigmoid, {s.mul({s.k(s.attrs<ops::AlphaAttrs>().alpha), s.in(0)})})});
}
int softsign(Scalar& s) { return s.op(Op::Div, {s.in(0), s.add({s.k(1), s.op(Op::Abs, {s.in(0)})})}); }
int thresholded_relu(Scalar& s) {
  return s.select({s.less({s.k(s.attrs<ops::AlphaAttrs>().alpha), s.in(0)}), s.in(0), s.k(0)});
}

}  // namespace

OpLowerings activation_rows() {
  return {
      code_for(ops::Relu).scalar(relu),
      code_for(ops::LeakyRelu).scalar(leaky_relu),
      code_for(ops::PRelu).scalar(prelu),
      code_for(ops::Elu).scalar(elu),
      code_for(ops::Selu).scalar(selu),
      code_for(ops::Celu).scalar(celu),
      code_for(ops::HardSigmoid).scalar(hard_sigmoid),
      code_for(ops::HardSwish).scalar(hard_swish),
      code_for(ops::Gelu).scalar(gelu),
      code_for(ops::Softplus).scalar(softplus),
      code_for(ops::Mish).scalar(mish),
      code_for(ops::Swish).scalar(swish),
      code_for(ops::Softsign).scalar(softsign),
      code_for(ops::ThresholdedRelu).scalar(thresholded_relu),
      code_for(ops::Sigmoid).scalar(unary<Op::Sigmoid>),
  };
}

}  // namespace lapis::codegen
