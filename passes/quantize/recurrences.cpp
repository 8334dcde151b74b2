#include "passes/quantize/recurrences.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"

namespace lapis {
namespace {

// The contraction that gives a value, apart from what is added to it and how it is laid out. Null: there is none.
const Node* product_behind(const Value* v) {
  const Node* node = v->producer();
  while (node && (node->is(ops::Add) || quant_of(*node) == Quant::SharedScale)) {
    const auto operands = data_operands(*node);
    node = operands.size() == 1 ? operands[0]->producer() : nullptr;
  }
  return node && quant_of(*node) == Quant::Contraction ? node : nullptr;
}

struct Recurrence {
  const Node* product;
  const Value* steps;  // what the product becomes
  const Node* scan;    // that reads it
};

// Those whose input of every step is a product in int8.
std::vector<Recurrence> recurrences_of(const Graph& graph, const Placement& placement) {
  std::vector<Recurrence> found;
  for (const Node* node : graph.nodes()) {
    if (!node->is(ops::Scan)) continue;
    const auto steps = static_cast<size_t>(node->attrs<ops::ScanAttrs>().num_scan_inputs);
    for (size_t i = node->inputs().size() - steps; i < node->inputs().size(); ++i)
      if (const Node* product = product_behind(node->input(i));
          product && placement.is_int8(*product) && !placement.recipes.asked_by_name(*product))
        found.push_back({product, node->input(i), node});
  }
  return found;
}

// Of what the recurrence reads and gives, with its product alone in int8.
Result<Damage> damage_around(const Graph& graph, const Recurrence& r, const QuantizeAlone& alone) {
  const std::unique_ptr<Graph> copy = graph.clone();
  std::vector<Value*> outputs = {copy->find_value(r.steps->name())};
  for (const Value* v : data_outputs(*r.scan))
    if (!v->unused()) outputs.push_back(copy->find_value(v->name()));
  copy->set_outputs(outputs);
  return alone(*copy, r.product->name());
}

double noise(double sqnr) { return std::pow(10, -sqnr / 10); }

}  // namespace

std::string HarmedRecurrence::reason() const {
  return "the recurrence '" + recurrence + "' would magnify its errors, from " + print_sqnr(before) + " to " +
         print_sqnr(behind);
}

Result<std::vector<HarmedRecurrence>> harmed_recurrences(const Graph& graph, const Placement& placement,
                                                         const QuantizeAlone& alone) {
  std::vector<HarmedRecurrence> harmed;
  for (const Recurrence& r : recurrences_of(graph, placement)) {
    LAPIS_TRY(const Damage damage, damage_around(graph, r, alone));
    HarmedRecurrence h{r.product->name(), r.scan->name(), INFINITY, INFINITY};
    for (const OutputDamage& o : damage.outputs) {
      double& sqnr = o.output == r.steps->name() ? h.before : h.behind;
      sqnr = std::min(sqnr, o.sqnr);
    }
    if (noise(h.behind) > 2 * noise(h.before)) harmed.push_back(std::move(h));  // more arises than was there
  }
  return harmed;
}

}  // namespace lapis
