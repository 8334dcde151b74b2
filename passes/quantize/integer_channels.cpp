// What multiplies or shifts the channels of a contraction of bytes becomes part of the scales of its weights and of its
// bias: batch normalizations behind the layers of models that were trained with quantization.
#include <algorithm>
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/forms.h"
#include "passes/quantize/integer.h"
#include "passes/simplify/facts.h"

namespace lapis {
namespace {

Diagnostic refusal(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

// Conv, Gemm or MatMul of dequantized data and weights, and what is made of its channels.
struct Channels {
  Node* node = nullptr;
  IntegerWeight weight;
  int64_t weight_axis = 0, result_axis = 1, count = 0;
  Value* bias = nullptr;  // float constant; null: none
  float data_scale = 1;
};

int64_t weight_axis(const Node& node) {
  if (node.is(ops::Conv)) return 0;
  return node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transB ? 0 : 1;
}

bool is_plain(const Node& node) {
  if (node.is(ops::Conv)) return true;
  if (node.is(ops::MatMul)) return node.input(1)->type().ranked() && node.input(1)->type().rank() == 2;
  if (!node.is(ops::Gemm)) return false;
  const auto a = node.attrs<ops::GemmAttrs>();
  return a.alpha == 1 && a.beta == 1 && !a.transA;
}

// The bias as a float constant; nullopt if it is computed.
std::optional<Value*> real_bias(const Node& node, Rewriter& rw) {
  Value* bias = node.input(2);
  if (!bias || bias->is_constant()) return bias;
  const Node* dq = bias->producer();
  const auto is_constant = [](const Value* v) { return !v || v->is_constant(); };
  if (!dq || !dq->is(ops::DequantizeLinear) || !std::all_of(dq->inputs().begin(), dq->inputs().end(), is_constant))
    return std::nullopt;
  return rw.fold(ops::DequantizeLinear, dq->inputs(), dq->attributes());
}

std::optional<Channels> channels_of(const Value& v, Rewriter& rw) {
  Node* node = v.producer();
  if (!node || !v.used_once() || !v.type().ranked() || !is_plain(*node)) return std::nullopt;
  const auto data = dequantized(node->input(0));
  if (!data || data->bytes->is_constant()) return std::nullopt;
  const int64_t axis = weight_axis(*node);
  Result<IntegerWeight> weight = integer_weight(node->input(1), axis);
  const auto bias = real_bias(*node, rw);
  if (!weight.ok() || !bias) return std::nullopt;
  const int64_t count = weight->values.dim(axis);
  return Channels{node,  *std::move(weight), axis, node->is(ops::Conv) ? 1 : v.type().rank() - 1, count,
                  *bias, data->scale.s};
}

// One number a channel, of a constant that broadcasts against the result along its channels only.
std::optional<std::vector<float>> per_channel(const Tensor& c, const Channels& of, int64_t rank) {
  if (c.dtype() != DType::Float32 || c.rank() > rank || (c.size() != 1 && c.size() != of.count)) return std::nullopt;
  const int64_t axis = of.result_axis - (rank - c.rank());
  if (c.size() != 1 && (axis < 0 || c.dim(axis) != of.count)) return std::nullopt;
  std::vector<float> numbers(static_cast<size_t>(of.count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = c.data<float>()[c.size() == 1 ? 0 : i];
  return numbers;
}

// Operand `v` of a commutative operator, with a constant as the other.
struct WithConstant {
  Value *v, *constant;
};
std::optional<WithConstant> with_constant(const Node& node) {
  for (const size_t i : {0, 1})
    if (node.input(i)->is_constant() && !node.input(1 - i)->is_constant())
      return WithConstant{node.input(1 - i), node.input(i)};
  return std::nullopt;
}

// Whether a scale is one that a float has with all its digits.
bool is_plain_scale(float scale) { return std::isnormal(scale) && std::isfinite(scale * 255); }

// Weights times a number for each channel: of their scales the magnitude, of the integers the sign. Else why not.
Result<IntegerWeight> multiplied(const Channels& c, const std::vector<float>& factors) {
  IntegerWeight w{c.weight.values, Tensor(DType::Float32, {c.count})};
  int64_t inner = 1;
  for (int64_t a = c.weight_axis + 1; a < w.values.rank(); ++a) inner *= w.values.dim(a);
  const auto values = w.values.mutable_data<int8_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    const float f = factors[static_cast<size_t>(static_cast<int64_t>(i) / inner % c.count)];
    if (f < 0 && values[i] == -128) return refusal("the weights hold -128, whose opposite is no int8");
    values[i] = f < 0 ? static_cast<int8_t>(-values[i]) : f == 0 ? int8_t{0} : values[i];
  }
  const auto scales = c.weight.scales.data<float>();
  for (size_t i = 0; i < factors.size(); ++i) {
    float& scale = w.scales.mutable_data<float>()[i];
    scale = factors[i] == 0 ? 1 : scales[scales.size() == 1 ? 0 : i] * std::abs(factors[i]);
    if (!is_plain_scale(scale)) return refusal("its factors times the scales of the weights are no normal numbers");
  }
  return w;
}

// An integer sum of 0 has no sign that a factor could turn around.
bool turns_zeros(const std::vector<float>& factors) {
  return !std::ranges::all_of(factors, [](float f) { return f > 0; });
}

Value* dequantize(const IntegerWeight& w, int64_t axis, Rewriter& rw) {
  return rw.add(ops::DequantizeLinear, {rw.constant(w.values), rw.constant(w.scales)}, {{"axis", axis}});
}

// Mul(contraction(DQ x, DQ w, b), f)  =>  contraction(DQ x, DQ (f w), f b)        f: a constant for each channel
bool scale_weights(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  const auto operands = node.is(ops::Mul) ? with_constant(node) : std::nullopt;
  const auto c = operands ? channels_of(*operands->v, rw) : std::nullopt;
  if (!c) return false;
  const auto factors = per_channel(operands->constant->constant(), *c, y.type().rank());
  if (!factors) return rw.skip(y, "its factors are not one for each channel");
  const auto weight = multiplied(*c, *factors);
  if (!weight.ok()) return rw.skip(y, weight.diagnostics()[0].message);
  if (turns_zeros(*factors) && !facts::hides_sign_of_zero(y))
    return rw.skip(y, "the sign that its factors give to zeros is seen");
  std::vector<Value*> inputs = {c->node->input(0), dequantize(*weight, c->weight_axis, rw)};
  if (c->bias) inputs.push_back(rw.fold(ops::Mul, {c->bias, rw.constant(Tensor::vector(*factors))}));
  if (c->bias && !facts::is_finite(inputs.back()->constant()))
    return rw.skip(y, "its factors times the bias are infinite");
  return rw.replace(y, rw.add(c->node->op(), inputs, c->node->attributes()));
}

// Add(contraction(DQ x, DQ w, b), s)  =>  contraction(DQ x, DQ w, b + s)
// where s loses next to nothing as integers
bool shift_bias(Value& y, Rewriter& rw) {
  constexpr double kLost = 1.0 / 16;
  const Node& node = *y.producer();
  const auto operands = node.is(ops::Add) ? with_constant(node) : std::nullopt;
  const auto c = operands ? channels_of(*operands->v, rw) : std::nullopt;
  if (!c || (c->node->is(ops::MatMul) && y.type().rank() != 2)) return false;
  const auto shifts = per_channel(operands->constant->constant(), *c, y.type().rank());
  if (!shifts) return rw.skip(y, "what is added is not one number for each channel");
  Value* bias = rw.constant(Tensor::vector(*shifts));
  if (c->bias) bias = rw.fold(ops::Add, {c->bias, bias});
  const Tensor scales = accumulator_scales(c->data_scale, c->weight.scales);
  const auto units = integer_bias(bias, scales, c->count);
  const BiasError lost = units ? bias_error(bias, *units, scales) : BiasError{1, 0};
  if (lost.error > kLost * lost.largest) return rw.skip(y, "what is added is finer than the products");
  const OpDef& op = c->node->is(ops::MatMul) ? ops::Gemm : c->node->op();
  return rw.replace(y, rw.add(op, {c->node->input(0), c->node->input(1), bias}, c->node->attributes()));
}

constexpr Rule kChannelRules[] = {{"integer.scale-weights", scale_weights}, {"integer.shift-bias", shift_bias}};

}  // namespace

std::span<const Rule> channel_rules() { return kChannelRules; }

}  // namespace lapis
