#include "passes/quantize/copier.h"

#include <algorithm>

#include "ir/evaluate.h"
#include "ir/ops/ops.h"

namespace lapis {

Copier::Copier(const Graph& from, Graph& to) : to_(to) {
  for (const Value* input : from.inputs()) values_[input] = to.find_value(input->name());
  for (const Value* c : from.constants()) values_[c] = to.add_constant(c->constant(), c->name());
  for (const Node* node : from.nodes()) waiting_.push_back(node);
  std::reverse(waiting_.begin(), waiting_.end());
}

void Copier::copy_until(const Node& last) {
  while (!copied_.contains(&last)) {
    LAPIS_ASSERT(!waiting_.empty(), "'" << last.name() << "' is not of the model");
    if (!folded(*waiting_.back())) copy(*waiting_.back());
    copied_.insert(waiting_.back());
    waiting_.pop_back();
  }
}

// Weights in fewer bits are constants here as they are in the float model:
// code for computed ones is slower, or there is none.
bool Copier::folded(const Node& node) {
  const auto is_constant = [](const Value* v) { return !v || v->is_constant(); };
  if (!node.is(ops::DequantizeLinear) || !std::all_of(node.inputs().begin(), node.inputs().end(), is_constant))
    return false;
  std::vector<const Tensor*> inputs;
  for (const Value* v : node.inputs()) inputs.push_back(v ? &v->constant() : nullptr);
  const auto floats = evaluate_node(node, inputs);
  if (floats.ok()) values_[node.output()] = to_.add_constant(floats->front());
  return floats.ok();
}

void Copier::copy(const Node& node) {
  std::vector<Value*> inputs;
  for (const Value* v : node.inputs()) inputs.push_back(v ? values_.at(v) : nullptr);
  Attributes attributes;
  for (const auto& [name, attribute] : node.attributes()) {
    const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute);
    attributes.emplace(name, body ? Attribute(to_.copy_subgraph(**body, values_)) : attribute);
  }
  std::vector<std::string> names;
  for (const Value* v : node.outputs()) names.push_back(v ? v->name() : "");
  Node* twin = to_.add_node(node.op(), std::move(inputs), std::move(attributes), std::move(names));
  for (size_t i = 0; i < node.outputs().size(); ++i) adopt(node.output(i), *twin, i);
}

void Copier::adopt(const Value* v, Node& twin, size_t i) {
  if (!v) return to_.drop_output(&twin, i);
  twin.output(i)->set_type(v->type());
  values_[v] = twin.output(i);
}

}  // namespace lapis
