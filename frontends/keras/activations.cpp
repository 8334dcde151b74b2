// Activations: by name as an option of other layers, and as layers of their own.
#include <cmath>
#include <map>

#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

using frontend::scalar_like;

using Activation = Result<Value*> (*)(Translation&, Value*);

template <const OpDef& op> Result<Value*> by(Translation& t, Value* x) { return t.add(op, {x}); }

Result<Value*> same(Translation&, Value* x) { return x; }

Result<Value*> clipped(Translation& t, Value* x, double low, double high) {
  LAPIS_TRY(Value * least, scalar_like(t, low, x));
  LAPIS_TRY(Value * most, scalar_like(t, high, x));
  return t.add(ops::Clip, {x, least, most});
}

Result<Value*> relu6(Translation& t, Value* x) { return clipped(t, x, 0, 6); }
Result<Value*> hard_tanh(Translation& t, Value* x) { return clipped(t, x, -1, 1); }

Result<Value*> swish(Translation& t, Value* x) {
  LAPIS_TRY(Value * gate, t.add(ops::Sigmoid, {x}));
  return t.add(ops::Mul, {x, gate});
}

Result<Value*> leaky(Translation& t, Value* x, double slope) {
  return t.add(ops::LeakyRelu, {x}, ops::LeakyReluAttrs{.alpha = static_cast<float>(slope)});
}
Result<Value*> leaky_by_default(Translation& t, Value* x) { return leaky(t, x, 0.2); }

// Keras 3 changed its slope.
Result<Value*> hard_sigmoid(Translation& t, Value* x) {
  const bool is_old = t.get<int64_t>("keras_version", 2) < 3;
  return t.add(ops::HardSigmoid, {x}, ops::HardSigmoidAttrs{.alpha = is_old ? 0.2f : 1.0f / 6, .beta = 0.5f});
}

Result<Value*> log_sigmoid(Translation& t, Value* x) {
  LAPIS_TRY(Value * y, t.add(ops::Neg, {x}));
  LAPIS_TRY(y, t.add(ops::Softplus, {y}));
  return t.add(ops::Neg, {y});
}

Result<Value*> tanh_shrink(Translation& t, Value* x) {
  LAPIS_TRY(Value * y, t.add(ops::Tanh, {x}));
  return t.add(ops::Sub, {x, y});
}

const std::map<std::string, Activation, std::less<>>& activations() {
  static const std::map<std::string, Activation, std::less<>> all = {
      {"celu", by<ops::Celu>},
      {"elu", by<ops::Elu>},
      {"exponential", by<ops::Exp>},
      {"gelu", by<ops::Gelu>},
      {"hard_sigmoid", hard_sigmoid},
      {"hard_silu", by<ops::HardSwish>},
      {"hard_swish", by<ops::HardSwish>},
      {"hard_tanh", hard_tanh},
      {"leaky_relu", leaky_by_default},
      {"linear", same},
      {"log_sigmoid", log_sigmoid},
      {"mish", by<ops::Mish>},
      {"relu", by<ops::Relu>},
      {"relu6", relu6},
      {"selu", by<ops::Selu>},
      {"sigmoid", by<ops::Sigmoid>},
      {"silu", swish},
      {"softplus", by<ops::Softplus>},
      {"softsign", by<ops::Softsign>},
      {"swish", swish},
      {"tanh", by<ops::Tanh>},
      {"tanh_shrink", tanh_shrink},
  };
  return all;
}

// Of what the mask, operand 1, counts.
Status masked_softmax(Translation& t, int64_t axis) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * counts, step_mask(t, 1));
  LAPIS_TRY(x, t.add(ops::Where, {counts, x, frontend::scalar(t, kNever, x->dtype())}));
  LAPIS_TRY(Value * y, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{.axis = axis}));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace

Result<Value*> activated(Translation& t, Value* x, Layout layout, const std::string& name) {
  if (name == "softmax" || name == "log_softmax") {
    LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
    const ops::SoftmaxAttrs attributes{.axis = frontend::axis_in(layout, rank - 1, static_cast<size_t>(rank))};
    return t.add(name == "softmax" ? ops::Softmax : ops::LogSoftmax, {x}, attributes);
  }
  const auto known = activations().find(name);
  if (known == activations().end()) return Translation::unsupported("the activation '" + name + "'");
  return known->second(t, x);
}

Result<Value*> activated(Translation& t, Value* x, Layout layout) {
  return activated(t, x, layout, t.get<std::string>("activation", "linear"));
}

Status activation(Translation& t) {
  return in_any_order(t, [&](Value* x, Layout layout) { return activated(t, x, layout); });
}

Status activation_of_name(Translation& t) {
  const std::string name = t.node().op.substr(t.node().op.rfind('.') + 1);
  std::string lower;
  for (const char c : name) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return in_any_order(t, [&](Value* x, Layout layout) { return activated(t, x, layout, lower); });
}

Status elu(Translation& t) {
  return frontend::apply(t, ops::Elu, encode_attributes(ops::AlphaAttrs{static_cast<float>(number(t, "alpha", 1))}));
}

// Called `alpha` by Keras 2.
Status leaky_relu(Translation& t) {
  constexpr double kDefault = 0.3;
  const double slope = number(t, "negative_slope", number(t, "alpha", kDefault));
  return in_any_order(t, [&](Value* x, Layout) { return leaky(t, x, slope); });
}

Status prelu(Translation& t) {
  LAPIS_TRY(const frontend::Aligned both, frontend::aligned(t, {0, 1}));
  LAPIS_TRY(Value * y, t.add(ops::PRelu, both.operands));
  return t.set(0, y, both.layout);
}

Status relu(Translation& t) {
  if (number(t, "threshold", 0) != 0) return Translation::unsupported("a threshold");
  const double most = number(t, "max_value", INFINITY), slope = number(t, "negative_slope", 0);
  return in_any_order(t, [&](Value* x, Layout) -> Result<Value*> {
    if (std::isinf(most)) return slope == 0 ? t.add(ops::Relu, {x}) : leaky(t, x, slope);
    if (slope == 0) return clipped(t, x, 0, most);
    LAPIS_TRY(Value * y, leaky(t, x, slope));
    LAPIS_TRY(Value * limit, scalar_like(t, most, x));
    return t.add(ops::Min, {y, limit});
  });
}

Status softmax(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const int64_t axis, axis_option(t, "axis", rank));
  if (t.has(1)) return masked_softmax(t, axis);
  return in_any_order(t, [&](Value* x, Layout layout) {
    return t.add(ops::Softmax, {x},
                 ops::SoftmaxAttrs{.axis = frontend::axis_in(layout, axis, static_cast<size_t>(rank))});
  });
}

Status thresholded_relu(Translation& t) {
  const ops::AlphaAttrs attributes{static_cast<float>(number(t, "theta", 1))};
  return frontend::apply(t, ops::ThresholdedRelu, encode_attributes(attributes));
}

}  // namespace lapis::keras_frontend
