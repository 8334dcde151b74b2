#include "passes/quantize/own_scales.h"

#include <algorithm>
#include <array>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"

namespace lapis {

namespace {

int64_t output_channels_axis(const Node& node) {
  if (node.is(ops::Conv)) return 0;
  return node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transB ? 0 : node.input(1)->type().rank() - 1;
}

}  // namespace

OwnScales::OwnScales(const Graph& graph) {
  for (const Node* node : graph.nodes()) {
    if (const auto d = dequantized(node->output()); d && !d->bytes->is_constant()) {
      scales_.emplace(node->output(), d->scale);
      ++pairs_;
      continue;
    }
    if (quant_of(*node) != Quant::SharedScale || refuses_bytes(*node)) continue;
    const auto operands = data_operands(*node);
    const auto first = operands.empty() ? std::nullopt : of(*operands[0]);
    const bool one = first && std::all_of(operands.begin(), operands.end(), [&](const Value* v) {
                       const auto scale = of(*v);
                       return scale && *scale == *first;
                     });
    if (!one) continue;
    for (const Value* v : data_outputs(*node)) scales_.emplace(v, *first);
  }
}

std::optional<TensorScale> OwnScales::of(const Value& v) const {
  const auto it = scales_.find(&v);
  return it == scales_.end() ? std::nullopt : std::optional(it->second);
}

bool has_own_weights(const Node& node) {
  if (!node.is(ops::Conv) && !node.is(ops::Gemm) && !node.is(ops::MatMul)) return false;
  return node.input(1)->type().ranked() && node.input(1)->type().rank() > 0 &&
         integer_weight(node.input(1), output_channels_axis(node)).ok();
}

bool is_boundary(const Node& node) { return node.is(ops::QuantizeLinear) || node.is(ops::DequantizeLinear); }

bool is_integer_operator(const Node& node) {
  static const std::array kOperators = {&ops::QLinearConv, &ops::QLinearMatMul, &ops::ConvInteger, &ops::MatMulInteger,
                                        &ops::DynamicQuantizeLinear};
  return std::any_of(kOperators.begin(), kOperators.end(), [&](const OpDef* op) { return node.is(*op); });
}

}  // namespace lapis
