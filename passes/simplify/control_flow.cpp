// Control flow whose course is known.
#include <map>

#include "ir/match.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

bool has_subgraphs(const Graph& graph) {
  for (const Node* node : graph.nodes())
    if (!node->subgraphs().empty()) return true;
  return false;
}

// The nodes of a graph without inputs, copied before the rewriter's insertion point. Values of enclosing graphs stay
// what they are.
std::vector<Value*> inlined(const Graph& branch, Rewriter& rw) {
  std::map<const Value*, Value*> values;
  for (const Value* c : branch.constants()) values[c] = rw.constant(c->constant());
  for (const Node* node : branch.nodes()) {
    std::vector<Value*> inputs;
    for (Value* input : node->inputs()) inputs.push_back(values.contains(input) ? values.at(input) : input);
    Node* copy = rw.add_node(node->op(), std::move(inputs), node->attributes(), node->outputs().size());
    copy->set_origin(node->origin());
    for (size_t i = 0; i < node->outputs().size(); ++i)
      if (node->output(i)) values[node->output(i)] = copy->output(i);
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
  const Graph& branch = condition != 0 ? *a.then_branch : *a.else_branch;
  if (has_subgraphs(branch)) return rw.skip(y, "the branch taken contains control flow itself");
  const std::vector<Value*> outputs = node->outputs(), results = inlined(branch, rw);
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i] && !outputs[i]->unused()) rw.replace(*outputs[i], results[i]);
  return true;
}

constexpr Rule kRules[] = {{"control.known-if", known_if}};

}  // namespace

std::span<const Rule> control_flow_rules() { return kRules; }

}  // namespace lapis
