// Normalizations: over axes that lie in memory (layer, instance), or by numbers that are known (batch).
#include "codegen/lower/ops/families.h"
#include "codegen/lower/reducing.h"
#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Over = Loop::Over;
using Reduce = Loop::Reduce;

// (x - mean) / sqrt(variance + epsilon) * scale + bias over the inner axes; scale and bias are placed by the caller.
void normalize(Lowering& l, const FusedRegion& region, const std::vector<bool>& axes, float added, View scale,
               std::optional<View> bias) {
  const Value *x = region.anchor->input(0), *out = region.result();
  const Reducing r(x->type().shape(), axes);
  const DType type = accumulator(x->dtype());
  LoopBuilder b(l, out->name(), r.domain, r.reduced);
  const int sum = b.reduce(Reduce::Sum, b.to(type, b.load(x, r.inner)));
  b.end_phase(Over::Inner);
  const auto count = [&] { return b.k(type, r.inner_size()); };
  auto centred = [&] {
    const int loaded = b.to(type, b.load(x, r.inner)), total = b.reduced(sum);
    return b.op(Op::Sub, {loaded, b.op(Op::Div, {total, count()})});
  };
  const int deviation = centred();
  const int squares = b.reduce(Reduce::Sum, b.op(Op::Mul, {deviation, deviation}));
  b.end_phase(Over::Inner);
  const int total = b.reduced(squares);
  const int variance = b.op(Op::Div, {total, count()});
  const int epsilon = b.k(type, added);
  int y = b.op(Op::Div, {centred(), b.op(Op::Sqrt, {b.op(Op::Add, {variance, epsilon})})});
  y = b.op(Op::Mul, {y, b.to(type, b.load_view(b.add_view(std::move(scale), r.inner)))});
  if (bias) y = b.op(Op::Add, {y, b.to(type, b.load_view(b.add_view(*std::move(bias), r.inner)))});
  y = b.apply_chain(region, y, r.inner);
  b.store(b.add_view(l.allocate(out), r.inner), y);
  b.end_phase(Over::Inner);
  l.emit(b.finish(), region, precision_of(out));
}

void layer_normalization(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const auto a = node.attrs<ops::LayerNormalizationAttrs>();
  const int64_t rank = node.input(0)->type().rank(), axis = ops::normalized(a.axis, rank);
  std::vector<bool> axes(static_cast<size_t>(rank));
  for (int64_t i = axis; i < rank; ++i) axes[static_cast<size_t>(i)] = true;
  const Value* bias = node.input(2);
  const View scale = l.view_of(node.input(1));
  normalize(l, region, axes, a.epsilon, scale, bias ? std::optional(l.view_of(bias)) : std::nullopt);
}

void instance_normalization(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Shape shape = node.input(0)->type().shape();
  std::vector<bool> axes(shape.size(), true);
  axes[0] = axes[1] = false;
  Shape per_channel(shape.size(), 1);
  per_channel[1] = shape[1];
  const float epsilon = node.attrs<ops::InstanceNormalizationAttrs>().epsilon;
  const View scale = *reshaped(l.view_of(node.input(1)), per_channel);
  normalize(l, region, axes, epsilon, scale, *reshaped(l.view_of(node.input(2)), per_channel));
}

// (x - mean) / sqrt(var + epsilon) * scale + bias with per-channel operands, in the widest of their types
int batch_normalization(Scalar& s) {
  DType type = s.type();
  for (const Value* v : s.node.inputs())
    if (v && v->dtype() == DType::Float64) type = DType::Float64;
  auto in = [&](size_t i) { return s.to(type, s.in(i)); };
  const int epsilon = s.to(type, s.k(s.attrs<ops::BatchNormalizationAttrs>().epsilon));
  const int deviation = s.as(type, Op::Sqrt, {s.as(type, Op::Add, {in(4), epsilon})});
  const int normal = s.as(type, Op::Div, {s.as(type, Op::Sub, {in(0), in(3)}), deviation});
  return s.to(s.type(), s.as(type, Op::Add, {s.as(type, Op::Mul, {normal, in(1)}), in(2)}));
}

Status one_output(const Node& node) {
  if (node.output(1) || node.output(2)) return refuse("the outputs Mean and InvStdDev");
  return ok();
}
Status inference_only(const Node& node) {
  if (node.attrs<ops::BatchNormalizationAttrs>().training_mode) return refuse("training_mode");
  return ok();
}
int64_t channels(const Node&) { return 1; }

}  // namespace

OpLowerings normalization_rows() {
  return {
      code_for(ops::LayerNormalization).loop(layer_normalization, one_output).inlines({0}),
      code_for(ops::InstanceNormalization).loop(instance_normalization).inlines({0}),
      code_for(ops::BatchNormalization).scalar(batch_normalization, inference_only).parameters(channels),
  };
}

}  // namespace lapis::codegen
