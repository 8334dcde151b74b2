// Quantization whose scales and zero points are computed from the data.
#include <algorithm>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"
#include "passes/expand/expand.h"
#include "passes/simplify/facts.h"

namespace lapis {
namespace {

using namespace pattern;
using Ints = std::vector<int64_t>;

Attributes to_int32() { return {{"to", static_cast<int64_t>(DType::Int32)}}; }

// y, scale, zero = DynamicQuantizeLinear(x)  =>  scale = (max(x, 0) - min(x, 0)) / 255, zero = Q(-min / scale),
// y = Q(x)
bool dynamic_quantize(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!node.is(ops::DynamicQuantizeLinear) || y.unused()) return false;
  Value* x = node.input(0);
  const auto number = [&](double v) { return rw.scalar(v, DType::Float32); };
  const Attributes whole = {{"keepdims", int64_t{0}}};
  Value* low = rw.add(ops::Min, {rw.add(ops::ReduceMin, {x}, whole), number(0)});
  Value* high = rw.add(ops::Max, {rw.add(ops::ReduceMax, {x}, whole), number(0)});
  Value* range = rw.add(ops::Div, {rw.add(ops::Sub, {high, low}), number(255)});
  Value* scale = rw.add(ops::Where, {rw.add(ops::Equal, {high, low}), number(1), range});
  Value* from_zero = rw.add(ops::Sub, {number(0), rw.add(ops::Div, {low, scale})});
  Value* none = rw.constant(Tensor::scalar(uint8_t{0}));
  Value* zero = rw.add(ops::QuantizeLinear, {from_zero, number(1), none});
  std::vector<Rewriter::Replacement> with;
  const auto give = [&](size_t output, Value* value) {
    if (node.output(output) && !node.output(output)->unused()) with.push_back({node.output(output), value});
  };
  give(1, scale);
  give(2, zero);
  give(0, rw.add(ops::QuantizeLinear, {x, scale, zero}));
  return rw.replace(with);
}

bool is_computed(const Value* v) { return v && !v->is_constant(); }
bool is_single(const Value* v) {
  const Type& type = v->type();
  return type.ranked() && (type.rank() == 0 || (type.rank() == 1 && type.dim(0).is(1)));
}

// The sums of weights less their zero points over `axes`.
Value* weight_sums(Value* weight, Value* zero_point, Ints axes, Rewriter& rw) {
  Value* wide = rw.fold(ops::Cast, {weight}, to_int32());
  if (zero_point) wide = rw.fold(ops::Sub, {wide, rw.fold(ops::Cast, {zero_point}, to_int32())});
  return rw.fold(ops::ReduceSum, {wide, rw.ints(std::move(axes))}, {{"keepdims", int64_t{0}}});
}

// The zero point of the data adds the same to every sum of a channel.
Value* without_zero_point(Value* sums, Value* zero_point, Value* of_weights, Rewriter& rw) {
  return rw.add(ops::Sub, {sums, rw.add(ops::Mul, {rw.add(ops::Cast, {zero_point}, to_int32()), of_weights})});
}

// MatMulInteger(a, w, za, zw)  =>  MatMulInteger(a, w, 0, zw) - za * sums(w - zw)        (za is computed, w is not)
bool product_with_constant(Value& y, Rewriter& rw) {
  Value *a, *w, *za, *zw = nullptr;
  if (!match(y, op(ops::MatMulInteger, bind(a), constant(w), bind(za), optional(constant(zw))))) return false;
  if (za->is_constant()) return false;
  if (!is_single(za) || w->type().rank() != 2)
    return rw.skip(y, "its data has a zero point for each row, or its weights are stacked");
  Value* sums = rw.add(ops::MatMulInteger, {a, w, nullptr, zw});
  return rw.replace(y, without_zero_point(sums, za, weight_sums(w, zw, {0}, rw), rw));
}

// The operand as int32 less its zero point, which is one number, or one for each row or column:
// as a list, or of the operand's rank.
Value* centered(Value* bytes, Value* zero_point, bool by_rows, Rewriter& rw) {
  Value* wide = rw.add(ops::Cast, {bytes}, to_int32());
  if (!zero_point) return wide;
  Value* zero = rw.add(ops::Cast, {zero_point}, to_int32());
  if (by_rows && zero_point->type().rank() == 1 && !is_single(zero_point))
    zero = rw.add(ops::Unsqueeze, {zero, rw.ints({1})});
  return rw.add(ops::Sub, {wide, zero});
}

// MatMulInteger(a, b, za, zb)  =>  MatMul(a - za, b - zb)        (a zero point is computed, or one for each row)
bool product_of_computed(Value& y, Rewriter& rw) {
  Value *a, *b, *za = nullptr, *zb = nullptr;
  if (!match(y, op(ops::MatMulInteger, bind(a), bind(b), optional(bind(za)), optional(bind(zb))))) return false;
  if (!is_computed(za) && !is_computed(zb) && !(za && !is_single(za))) return false;
  const auto fits = [](const Value* v, const Value* zero) {
    if (!zero || is_single(zero)) return true;
    if (!zero->type().ranked() || !v->type().ranked()) return false;
    return zero->type().rank() == v->type().rank() || (zero->type().rank() == 1 && v->type().rank() == 2);
  };
  if (!fits(a, za) || !fits(b, zb)) return rw.skip(y, "its zero points differ between matrices");
  return rw.replace(y, rw.add(ops::MatMul, {centered(a, za, true, rw), centered(b, zb, false, rw)}));
}

std::optional<ops::Window> window_on(const Node& conv) {
  if (facts::is_static(*conv.input(0))) return ops::window_of(conv);
  ops::Window w = ops::conv_window(conv.attrs<ops::ConvAttrs>(), conv.input(1)->type().shape());
  return w.same_padding() ? std::nullopt : std::optional(std::move(w));
}

// Around the data lies its zero point.
Value* padded(Value* x, Value* zero_point, const ops::Window& w, Rewriter& rw) {
  Ints pads = {0, 0};
  pads.insert(pads.end(), w.begins.begin(), w.begins.end());
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), w.ends.begin(), w.ends.end());
  if (std::ranges::all_of(pads, [](int64_t n) { return n == 0; })) return x;
  Value* value = zero_point->type().rank() == 0 ? zero_point : rw.add(ops::Reshape, {zero_point, rw.ints({})});
  return rw.add(ops::Pad, {x, rw.ints(std::move(pads)), value});
}

// ConvInteger(x, w, zx, zw)  =>  ConvInteger(Pad(x, zx), w, 0, zw) - zx * sums(w - zw)
//                                 (zx is computed, w is not)
bool convolution(Value& y, Rewriter& rw) {
  Value *x, *w, *zx, *zw = nullptr;
  Node* node;
  if (!match(y, op(ops::ConvInteger, bind(x), constant(w), bind(zx), optional(constant(zw))).as(node))) return false;
  if (zx->is_constant()) return false;
  const auto window = window_on(*node);
  if (!window || !is_single(zx)) return rw.skip(y, "its pads follow from sizes that are not known");
  const int64_t rank = w->type().rank(), channels = w->type().shape()[0];
  Ints axes, by_channel(static_cast<size_t>(rank - 1), 1);
  for (int64_t i = 1; i < rank; ++i) axes.push_back(i);
  by_channel[0] = channels;
  Value* spread = zw;
  if (zw && zw->constant().size() > 1) {
    Shape column(static_cast<size_t>(rank), 1);
    column[0] = channels;
    spread = rw.reshape(zw, column);
  }
  auto a = node->attrs<ops::ConvAttrs>();
  a.auto_pad = "NOTSET";
  a.pads.clear();
  Value* sums = rw.add(ops::ConvInteger, {padded(x, zx, *window, rw), w, nullptr, zw}, a);
  Value* of_weights = rw.reshape(weight_sums(w, spread, axes, rw), by_channel);
  return rw.replace(y, without_zero_point(sums, zx, of_weights, rw));
}

constexpr Rule kRules[] = {{"expand.dynamic-quantize", dynamic_quantize},
                           {"expand.zero-point-of-product", product_with_constant},
                           {"expand.zero-point-of-convolution", convolution},
                           {"expand.product-of-computed-zero-points", product_of_computed}};

}  // namespace

std::span<const Rule> dynamic_quantization_rules() { return kRules; }

}  // namespace lapis
