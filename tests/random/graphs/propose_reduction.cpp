// Operators along axes: reductions, arg, TopK, CumSum, Softmax.
#include "ir/ops/ops.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

std::optional<Proposal> propose_reduce(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p{{x}, draw_attributes(d, op), 1};
  if (d.random.chance(25)) return p;
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < x->type().rank(); ++axis)
    if (d.random.chance(45)) axes.push_back(d.random.chance(70) ? axis : axis - x->type().rank());
  if (d.random.chance(3)) axes.push_back(draw_axis(d.random, x->type().rank()));
  p.inputs.push_back(d.ints(axes));
  return p;
}

std::optional<Proposal> propose_along(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, op.name.ends_with("oftmax") ? 0 : 1);
  if (!x) return std::nullopt;
  Proposal p{{x}, draw_attributes(d, op), 1};
  p.attributes["axis"] = draw_axis(d.random, x->type().rank());
  return p;
}

std::optional<Proposal> propose_top_k(Draft& d, const OpDef& op) {
  auto p = propose_along(d, op);
  if (!p) return p;
  const Shape& shape = p->inputs[0]->type().shape();
  const int64_t rank = static_cast<int64_t>(shape.size()), axis = std::get<int64_t>(p->attributes["axis"]);
  const int64_t extent = axis >= -rank && axis < rank ? shape[static_cast<size_t>(axis < 0 ? axis + rank : axis)] : 1;
  p->inputs.push_back(d.ints({d.random.chance(97) ? d.random.between(0, extent) : extent + 1}));
  p->outputs = 2;
  return p;
}

std::optional<Proposal> propose_cumulative(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1);
  if (!x) return std::nullopt;
  const int64_t axis = draw_axis(d.random, x->type().rank());
  Value* at = d.random.chance(70) ? d.constant(Tensor::scalar<int64_t>(axis))
                                  : d.constant(Tensor::scalar<int32_t>(static_cast<int32_t>(axis)));
  return Proposal{{x, at}, draw_attributes(d, op), 1};
}

}  // namespace

ProposerTable reduction_proposers() {
  ProposerTable table = {{"ArgMax", propose_along},      {"ArgMin", propose_along},  {"TopK", propose_top_k},
                         {"CumSum", propose_cumulative}, {"Softmax", propose_along}, {"LogSoftmax", propose_along}};
  for (const OpDef* op : all_ops())
    if (op->name.starts_with("Reduce")) table.emplace(op->name, propose_reduce);
  return table;
}

}  // namespace lapis::random_graphs
