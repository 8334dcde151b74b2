// hoist-invariants: what every iteration of a Loop or Scan would compute anew from values
// around its body is computed once, in front of it.
//
//        y = Loop (n, , x) < body (..., s) { w = Mul (a, b)  t = Add (s, w) } >
//   =>   w = Mul (a, b)  y = Loop (...) < { t = Add (s, w) } >
//
// Of pure nodes that cannot fail, for the loop may have no iteration: those whose shapes are known. What a body returns
// as it is stays in it, since its outputs are its own; so do the branches of an If, one of which does not run.
#include <algorithm>

#include "ir/ops/ops.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

bool cannot_fail(const Node& node) {
  const OpDef& op = node.op();
  const bool plain =
      op.has(Trait::Elementwise) || op.has(Trait::Movement) || op.has(Trait::Reduction) || op.has(Trait::Contraction);
  return plain && op.has(Trait::Pure) && std::ranges::all_of(node.outputs(), [](const Value* y) {
           return y && y->type().is_static() && !y->is_graph_output();
         });
}

bool is_invariant(const Node& node, const Graph& body) {
  return cannot_fail(node) && std::ranges::all_of(node.inputs(), [&](const Value* v) {
           return !v || v->is_constant() || &v->graph() != &body;
         });
}

void hoist(Node& node, Node& loop) {
  Graph &body = node.graph(), &around = loop.graph();
  std::vector<Value*> inputs;
  for (Value* v : node.inputs())
    inputs.push_back(v && v->is_constant() && &v->graph() == &body ? around.add_constant(v->constant()) : v);
  Node* moved = around.add_node(node.op(), std::move(inputs), node.attributes(),
                                std::vector<std::string>(node.outputs().size()), &loop, node.name());
  moved->set_origin(node.origin());
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    moved->output(i)->set_type(node.output(i)->type());
    body.replace_all_uses(node.output(i), moved->output(i));
  }
  body.erase(&node);
}

// From the inside out, so that what leaves one body may leave the next one too.
void hoist_within(Graph& graph) {
  for (Node* node : graph.nodes())
    for (Graph* body : node->subgraphs()) {
      hoist_within(*body);
      if (node->is(ops::If)) continue;
      for (Node* inner : body->nodes())
        if (is_invariant(*inner, *body)) hoist(*inner, *node);
      body->erase_unused_constants();
    }
}

}  // namespace

Status hoist_invariants(Graph& graph, PassContext&) {
  hoist_within(graph);
  return ok();
}

}  // namespace lapis
