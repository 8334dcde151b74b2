// The elementwise operators whose operands are not all alike; the rest is drawn generically.
#include "ir/ops/ops.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

std::optional<Proposal> propose_cast(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  const DType to = draw_dtype(d.random, op.outputs[0].types);
  if (!x || to == DType::Undefined) return std::nullopt;
  Proposal p{{x}, {{"to", static_cast<int64_t>(to)}}, 1};
  if (d.random.chance(10)) p.attributes["saturate"] = int64_t{0};
  return p;
}

std::optional<Proposal> propose_cast_like(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  Value* like = d.some(op.inputs[1].types);
  return x && like ? std::optional(Proposal{{x, like}, {}, 1}) : std::nullopt;
}

std::optional<Proposal> propose_clip(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, 1};
  for (int i = 0; i < 2; ++i) {
    if (d.random.chance(25)) {
      p.inputs.push_back(nullptr);
      continue;
    }
    Tensor bound = draw_tensor(d.random, x->dtype(), {}, d.mood);
    p.inputs.push_back(d.random.chance(75) ? d.constant(std::move(bound)) : d.fresh(std::move(bound)));
  }
  return p;
}

std::optional<Proposal> propose_where(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[1].types);
  if (!x) return std::nullopt;
  Value* condition = d.like(DType::Bool, draw_partner(d.random, x->type().shape()));
  Value* y = d.like(x->dtype(), draw_partner(d.random, x->type().shape()));
  if (d.random.chance(50)) std::swap(x, y);
  return Proposal{{condition, x, y}, {}, 1};
}

std::optional<Proposal> propose_pow(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  const DType exponent = d.random.chance(75) ? x->dtype() : draw_dtype(d.random, op.inputs[1].types);
  if (d.random.chance(50)) {
    const double value = d.random.pick<double>({0, 1, 2, 3, -1, 0.5, -0.5, 1.5, 10, -2});
    return Proposal{{x, d.scalar(exponent, value)}, {}, 1};
  }
  return Proposal{{x, d.like(exponent, draw_partner(d.random, x->type().shape()))}, {}, 1};
}

std::optional<Proposal> propose_prelu(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  return Proposal{{x, d.like(x->dtype(), draw_partner(d.random, x->type().shape()))}, {}, 1};
}

// Integers want fmod = 0 as often as floats want 1.
std::optional<Proposal> propose_mod(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p{{x, d.like(x->dtype(), draw_partner(d.random, x->type().shape()))}, {}, 1};
  if (is_float(x->dtype()) || d.random.chance(40)) p.attributes["fmod"] = int64_t{1};
  return p;
}

std::optional<Proposal> propose_dropout(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, static_cast<size_t>(d.random.between(1, 2))};
  if (d.random.chance(50)) p.inputs.push_back(d.scalar(x->dtype(), d.random.pick<double>({0, 0.5})));
  if (p.inputs.size() == 2 && d.random.chance(50))
    p.inputs.push_back(d.fresh(Tensor::scalar<bool>(d.random.chance(10))));
  return p;
}

}  // namespace

ProposerTable elementwise_proposers() {
  return {
      {"Cast", propose_cast}, {"CastLike", propose_cast_like}, {"Clip", propose_clip}, {"Where", propose_where},
      {"Pow", propose_pow},   {"PRelu", propose_prelu},        {"Mod", propose_mod},   {"Dropout", propose_dropout}};
}

}  // namespace lapis::random_graphs
