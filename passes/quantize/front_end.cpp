#include "passes/quantize/front_end.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"

namespace lapis {

// Small results stay small results: an error of the operand is one of the result.
static bool passes_errors_on(const Node& node) {
  static const std::array kArithmetic = {&ops::Add,  &ops::Sub,        &ops::Mul,      &ops::Div,
                                         &ops::Sum,  &ops::Pow,        &ops::Sqrt,     &ops::Abs,
                                         &ops::Neg,  &ops::Clip,       &ops::Max,      &ops::ReduceSum,
                                         &ops::Cast, &ops::ReduceMean, &ops::ReduceL2, &ops::ReduceSumSquare};
  const Quant form = node.op().int8_form();
  return form == Quant::Contraction || form == Quant::SharedScale ||
         std::any_of(kArithmetic.begin(), kArithmetic.end(), [&](const OpDef* op) { return node.is(*op); });
}

std::unordered_map<const Node*, const Node*> logarithms_behind(const Graph& graph) {
  std::unordered_map<const Node*, const Node*> found;
  std::unordered_set<const Node*> seen;
  for (const Node* log : graph.nodes()) {
    if (!log->is(ops::Log)) continue;
    std::vector<const Node*> path{log};
    while (!path.empty()) {
      const Node* node = path.back();
      path.pop_back();
      if (node->op().int8_form() == Quant::Contraction) found.emplace(node, log);
      for (const Value* v : node->inputs())
        if (const Node* before = v ? v->producer() : nullptr;
            before && passes_errors_on(*before) && seen.insert(before).second)
          path.push_back(before);
    }
  }
  return found;
}

}  // namespace lapis
