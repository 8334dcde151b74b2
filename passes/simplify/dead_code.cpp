// dce: whatever contributes to no graph output goes: nodes (backwards, so that chains vanish in one sweep), optional
// outputs, constants.
// Graph inputs stay: they are the model's interface. ONNX operators have no side effects, so being unused is reason
// enough.
#include <algorithm>

#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

void drop_unused_outputs(Graph& graph, Node& node) {
  for (size_t i = node.outputs().size(); i-- > 1;) {
    const bool optional = i < node.op().outputs.size() && node.op().outputs[i].optional;
    if (optional && node.output(i) && node.output(i)->unused()) graph.drop_output(&node, i);
  }
}

void eliminate(Graph& graph) {
  std::vector<Node*> nodes;
  for (Node* node : graph.nodes()) nodes.push_back(node);
  for (Node* node : std::vector<Node*>(nodes.rbegin(), nodes.rend())) {
    const bool dead =
        std::all_of(node->outputs().begin(), node->outputs().end(), [](const Value* v) { return !v || v->unused(); });
    if (dead) {
      graph.erase(node);
      continue;
    }
    drop_unused_outputs(graph, *node);
    for (Graph* subgraph : node->subgraphs()) eliminate(*subgraph);
  }
  graph.erase_unused_constants();
}

}  // namespace

Status eliminate_dead_code(Graph& graph, PassContext&) {
  eliminate(graph);
  return ok();
}

}  // namespace lapis
