// Value-preserving operators on bytes instead of floats, cancelled pairs, weights in the one form that kernels take.
#include <algorithm>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"
#include "ir/ops/resampling.h"
#include "passes/quantize/forms.h"
#include "passes/quantize/integer.h"
#include "passes/quantize/roles.h"

namespace lapis {
namespace {

// Q(DQ(x)) at the same scale  =>  x
bool cancel_pair(Value& y, Rewriter& rw) {
  const auto q = quantizer(y);
  if (!q) return false;
  const auto d = dequantized(q->real);
  if (!d) return false;
  if (!(d->scale == q->scale)) return rw.skip(y, "it requantizes: the scales or zero points differ");
  return rw.replace(y, d->bytes);
}

// ---- moving bytes -----------------------------------------------------------------------------------------------

bool preserves_values(const Node& node) {
  if (node.is(ops::Resize))
    return node.attrs<ops::ResizeAttrs>().mode == "nearest" && !crops(node.attrs<ops::ResizeAttrs>());
  return node.op().int8_form() == Quant::SharedScale;
}

// The common scale of all data operands, if each is dequantized and the node may work on the bytes.
std::optional<TensorScale> common_scale(const Node& node) {
  std::optional<TensorScale> common;
  for (const Value* v : data_operands(node)) {
    const auto d = dequantized(v);
    if (!d || (common && !(*common == d->scale))) return std::nullopt;
    common = d->scale;
  }
  return common;
}

// What Pad writes, as a byte; nullopt if no byte stands for it exactly.
std::optional<Value*> pad_byte(const Node& pad, const TensorScale& scale, Rewriter& rw) {
  const Value* value = pad.input(2);
  if (value && (!value->is_constant() || value->constant().size() != 1)) return std::nullopt;
  const float real = value ? value->constant().data<float>()[0] : 0;
  const int64_t byte = ops::quantize(real / scale.s, scale.zero, integer_range(scale.dtype));
  if (static_cast<float>(byte - scale.zero) * scale.s != real) return std::nullopt;
  return rw.constant(scale.dtype == DType::UInt8 ? Tensor::scalar(static_cast<uint8_t>(byte))
                                                 : Tensor::scalar(static_cast<int8_t>(byte)));
}

// The node's operands with bytes in the place of dequantized data; nullopt if a constant has no byte.
std::optional<std::vector<Value*>> byte_operands(const Node& node, const TensorScale& scale, Rewriter& rw) {
  std::vector<Value*> operands = node.inputs();
  for (Value*& v : operands)
    if (const auto d = dequantized(v)) v = d->bytes;
  if (!node.is(ops::Pad)) return operands;
  const auto byte = pad_byte(node, scale, rw);
  if (!byte) return std::nullopt;
  operands.resize(std::max<size_t>(operands.size(), 3));
  operands[2] = *byte;
  return operands;
}

Value* dequantize(Value* bytes, const TensorScale& scale, Rewriter& rw) {
  std::vector<Value*> operands = {bytes, scale.scale};
  if (scale.zero_point) operands.push_back(scale.zero_point);
  return rw.add(ops::DequantizeLinear, std::move(operands));
}

// GlobalMaxPool is not defined on bytes, the reduction is.
Node* on_bytes(const Node& node, const std::vector<Value*>& operands, Rewriter& rw) {
  if (!node.is(ops::GlobalMaxPool)) return rw.add_node(node.op(), operands, node.attributes(), node.outputs().size());
  std::vector<int64_t> spatial;
  for (int64_t axis = 2; axis < operands[0]->type().rank(); ++axis) spatial.push_back(axis);
  return rw.add_node(ops::ReduceMax, {operands[0], rw.ints(spatial)}, {}, 1);
}

// The largest of nothing is infinite as a float, and a number as a byte.
bool is_empty(const Value& v) { return v.type().is_static() && element_count(v.type().shape()) == 0; }

const Value* first_used(const Node& node) {
  for (const Value* v : node.outputs())
    if (v && !v->unused()) return v;
  return nullptr;
}

std::vector<Rewriter::Replacement> dequantized_results(const Node& node, const Node& moved, const TensorScale& scale,
                                                       Rewriter& rw) {
  std::vector<Rewriter::Replacement> reals;
  for (size_t i = 0; i < node.outputs().size(); ++i)
    if (node.output(i) && !node.output(i)->unused())
      reals.push_back({node.output(i), dequantize(moved.output(i), scale, rw)});
  return reals;
}

// f(DQ(x), ...) with f value-preserving and one scale for all  =>  DQ(f(x, ...))
bool dequantize_later(Value& y, Rewriter& rw) {
  Node& node = *y.producer();
  if (!preserves_values(node) || first_used(node) != &y || y.dtype() != DType::Float32) return false;
  const auto scale = common_scale(node);
  if (!scale) return false;
  if (is_empty(*node.input(0)) && !is_empty(y)) return rw.skip(y, "it has an operand without elements");
  if (node.is(ops::MaxPool) && node.output(1)) return rw.skip(y, "its second output (indices) is wanted");
  if (const auto reason = refuses_bytes(node); reason && !node.is(ops::Pad)) return rw.skip(y, *reason);
  if (node.is(ops::GlobalMaxPool) && !node.input(0)->type().ranked()) return false;
  const auto operands = byte_operands(node, *scale, rw);
  if (!operands) return rw.skip(y, "the padded value is not one of the 256");
  return rw.replace(dequantized_results(node, *on_bytes(node, *operands, rw), *scale, rw));
}

// Q(f(a, ...)) with f moving elements  =>  f(Q(a), ...)
// Each operand is requantized, or quantized where it is computed.
bool quantize_earlier(Value& y, Rewriter& rw) {
  const auto q = quantizer(y);
  if (!q || !q->real->producer() || !q->real->used_once()) return false;
  const Node& node = *q->real->producer();
  if (!node.op().has(Trait::Movement) || node.outputs().size() != 1 || refuses_bytes(node)) return false;
  const auto operands = data_operands(node);
  const bool cheap = !operands.empty() && std::all_of(operands.begin(), operands.end(),
                                                      [](const Value* v) { return v->used_once() || dequantized(v); });
  if (!cheap) return false;
  std::vector<Value*> inputs = node.inputs();
  for (Value*& v : inputs)
    if (v && !v->is_constant() && v->dtype() == DType::Float32)
      v = rw.add(ops::QuantizeLinear, {v, q->scale.scale, zero_point_of(q->scale, rw)});
  if (node.is(ops::Pad)) {
    inputs.resize(std::max<size_t>(inputs.size(), 3));
    inputs[2] = scalar_zero_point(q->scale, rw);
  }
  return rw.replace(y, rw.add(node.op(), inputs, node.attributes()));
}

// Transpose(DQ(w)) with w constant  =>  DQ(Transpose(w))        the axis of the scales moves along
bool transpose_weight(Value& y, Rewriter& rw) {
  using namespace pattern;
  Value *w, *scales, *zeros = nullptr;
  Node *transpose, *dq;
  if (!match(y, op(ops::Transpose,
                   op(ops::DequantizeLinear, constant(w), constant(scales), optional(constant(zeros))).as(dq))
                    .as(transpose)))
    return false;
  const auto a = dq->attrs<ops::DequantizeLinearAttrs>();
  const int64_t rank = w->type().rank(), axis = a.axis < 0 ? a.axis + rank : a.axis;
  std::vector<int64_t> perm = transpose->attrs<ops::TransposeAttrs>().perm;
  if (perm.empty())
    for (int64_t i = rank; i-- > 0;) perm.push_back(i);
  if (a.block_size != 0) return false;
  Attributes attributes = dq->attributes();
  attributes["axis"] = static_cast<int64_t>(std::find(perm.begin(), perm.end(), axis) - perm.begin());
  std::vector<Value*> operands = {rw.fold(ops::Transpose, {w}, {{"perm", perm}}), scales};
  if (zeros) operands.push_back(zeros);
  return rw.replace(y, rw.add(ops::DequantizeLinear, operands, attributes));
}

// ---- weights ----------------------------------------------------------------------------------------------------

struct WeightSlot {
  size_t weight, zero_point;
  int64_t axis;
};
std::optional<WeightSlot> weight_slot(const Node& node) {
  if (node.is(ops::QLinearConv)) return WeightSlot{3, 5, 0};
  if (node.is(ops::ConvInteger)) return WeightSlot{1, 3, 0};
  if (node.is(ops::MatMulInteger)) return WeightSlot{1, 3, -1};
  if (node.is(ops::QLinearMatMul)) return WeightSlot{3, 5, -1};
  return std::nullopt;
}

bool is_zero(const Value* v) {
  for (int64_t i = 0; v && i < v->constant().size(); ++i)
    if (v->constant().as_int(i) != 0) return false;
  return true;
}

// op(x, w, ..., zw) with w constant  =>  op(x, w - zw as int8, ..., 0)        the one form that kernels take
bool center_weight(Value& y, Rewriter& rw) {
  Node& node = *y.producer();
  const auto slot = weight_slot(node);
  if (!slot) return false;
  const Value *w = node.input(slot->weight), *zero = node.input(slot->zero_point);
  if (!w->is_constant() || (zero && !zero->is_constant()) || (w->dtype() == DType::Int8 && is_zero(zero)) ||
      (zero && zero->type().rank() > 1))
    return false;
  const int64_t axis = slot->axis < 0 ? w->type().rank() - 1 : slot->axis;
  const auto centered = centered_int8(w->constant(), zero ? zero->constant() : Tensor(), axis);
  if (!centered) return rw.skip(y, "its weights minus their zero points do not fit int8");
  std::vector<Value*> operands = node.inputs();
  operands[slot->weight] = rw.constant(*centered);
  if (zero) operands[slot->zero_point] = rw.constant(Tensor(DType::Int8, zero->constant().shape()));
  return rw.replace(y, rw.add(node.op(), operands, node.attributes()));
}

// DQ(constant)  =>  constant
bool dequantize_constant(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!node.is(ops::DequantizeLinear)) return false;
  for (const Value* v : node.inputs())
    if (v && !v->is_constant()) return false;
  return rw.replace(y, rw.fold(ops::DequantizeLinear, node.inputs(), node.attributes()));
}

constexpr Rule kByteRules[] = {
    {"integer.cancel-pair", cancel_pair},           {"integer.dequantize-later", dequantize_later},
    {"integer.quantize-earlier", quantize_earlier}, {"integer.transpose-weight", transpose_weight},
    {"integer.center-weight", center_weight},
};
constexpr Rule kLeftoverRules[] = {{"integer.dequantize-constant", dequantize_constant}};

}  // namespace

std::span<const Rule> byte_rules() { return kByteRules; }
std::span<const Rule> leftover_rules() { return kLeftoverRules; }

}  // namespace lapis
