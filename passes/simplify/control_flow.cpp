// Control flow whose course is known.
#include <unordered_map>

#include "ir/match.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

// The attributes of a node of the branch, its subgraphs copied to where the If stands.
Attributes copied_attributes(const Node& node, Graph& graph, std::unordered_map<const Value*, Value*>& values) {
  Attributes attributes = node.attributes();
  for (auto& [name, attribute] : attributes)
    if (auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute)) attribute = graph.copy_subgraph(**body, values);
  return attributes;
}

// The nodes of a graph without inputs, copied before the rewriter's insertion point. Values of enclosing graphs stay
// what they are.
std::vector<Value*> inlined(const Graph& branch, Graph& graph, Rewriter& rw) {
  std::unordered_map<const Value*, Value*> values;
  for (const Value* c : branch.constants()) values[c] = rw.constant(c->constant());
  for (const Node* node : branch.nodes()) {
    std::vector<Value*> inputs;
    for (Value* input : node->inputs()) inputs.push_back(values.contains(input) ? values.at(input) : input);
    Node* copy =
        rw.add_node(node->op(), std::move(inputs), copied_attributes(*node, graph, values), node->outputs().size());
    copy->set_origin(node->origin());
    for (size_t i = 0; i < node->outputs().size(); ++i)
      if (const Value* y = node->output(i)) {
        values[y] = copy->output(i);
        if (!node->op().infer) copy->output(i)->set_type(y->type());
      }
  }
  std::vector<Value*> outputs;
  for (const Value* output : branch.outputs()) outputs.push_back(values.at(output));
  return outputs;
}

// If(true, then, else)  =>  then        (and the other way round)
bool known_if(Value& y, Rewriter& rw) {
  double condition;
  Node* node;
  if (y.output_index() != 0 || !match(y, op(ops::If, scalar(condition)).as(node))) return false;
  const auto a = node->attrs<ops::IfAttrs>();
  const std::vector<Value*> results = inlined(condition != 0 ? *a.then_branch : *a.else_branch, y.graph(), rw);
  std::vector<Rewriter::Replacement> replacements;
  for (size_t i = 0; i < node->outputs().size(); ++i)
    if (node->output(i) && !node->output(i)->unused()) replacements.push_back({node->output(i), results[i]});
  return rw.replace(replacements);
}

constexpr Rule kRules[] = {{"control.known-if", known_if}};

}  // namespace

std::span<const Rule> control_flow_rules() { return kRules; }

}  // namespace lapis
