#include "passes/quantize/weights_alone.h"

#include <map>

#include "ir/ops/ops.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

class Inserter {
 public:
  Inserter(Graph& graph, const Placement& placement, const RoundedOf& rounded)
      : graph_(graph), placement_(placement), rounded_(rounded) {}

  void quantize(Node& node) {
    const auto role = contraction_role(node);
    LAPIS_ASSERT(role.ok(), "'" << node.name() << "' was planned with weights in fewer bits");
    const Scheme& scheme = placement_.recipes.of(node).weights;
    if (const auto own = rounded_.find(&node); own != rounded_.end())
      return node.set_input(1, dequantized(*role, scheme, own->second, node));
    Value*& floats = known_[{role->weight, scheme.to_string()}];
    if (!floats)
      floats = dequantized(
          *role, scheme,
          tensors_of(*role, scheme,
                     round_weights(rows_of(*role), role->weight->constant().dim(1 - role->axis), scheme, nullptr)),
          node);
    node.set_input(1, floats);
  }

 private:
  Value* dequantized(const ContractionRole& role, const Scheme& scheme, const IntegerTensors& q, Node& node) {
    const std::string& name = role.weight->name();
    std::vector<Value*> operands = {graph_.add_constant(q.values, name + "_quantized"),
                                    graph_.add_constant(q.scales, name + "_scale")};
    if (q.zero_points.defined()) operands.push_back(graph_.add_constant(q.zero_points, name + "_zero_point"));
    const bool blocked = scheme.granularity == Granularity::Block;
    Attributes attributes = {{"axis", blocked ? 1 - role.axis : role.axis}};
    if (blocked) attributes["block_size"] = scheme.block;
    Value* floats = add_typed(graph_, ops::DequantizeLinear, std::move(operands), std::move(attributes), &node);
    floats->producer()->set_origin(node.origin());
    graph_.rename(floats, graph_.unique_name(name + "_dequantized"));
    return floats;
  }

  Graph& graph_;
  const Placement& placement_;
  const RoundedOf& rounded_;
  std::map<std::pair<const Value*, std::string>, Value*> known_;  // rounded to the nearest, by weight and scheme
};

}  // namespace

void insert_weights_alone(Graph& graph, const Placement& placement, const RoundedOf& rounded) {
  Inserter inserter(graph, placement, rounded);
  for (Node* node : graph.nodes())
    if (placement.weights_alone.contains(node)) inserter.quantize(*node);
  graph.erase_unused_constants();
}

}  // namespace lapis
