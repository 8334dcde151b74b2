#include "ir/graph.h"

#include <algorithm>
#include <unordered_map>

#include "ir/op.h"

namespace lapis {

bool Value::is_graph_output() const {
  const auto& outputs = graph_->outputs();
  return std::find(outputs.begin(), outputs.end(), this) != outputs.end();
}

const Attribute* Node::attribute(std::string_view name) const {
  const auto it = attributes_.find(name);
  return it == attributes_.end() ? nullptr : &it->second;
}

void Node::remove_attribute(std::string_view name) {
  if (const auto it = attributes_.find(name); it != attributes_.end()) attributes_.erase(it);
}

std::vector<Graph*> Node::subgraphs() const {
  std::vector<Graph*> graphs;
  for (const auto& [name, attribute] : attributes_)
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute)) graphs.push_back(graph->get());
  return graphs;
}

void Node::set_input(size_t i, Value* value) {
  if (i >= inputs_.size()) inputs_.resize(i + 1, nullptr);
  if (inputs_[i] == value) return;
  graph_->remove_use(inputs_[i], this, i);
  inputs_[i] = value;
  graph_->add_use(value, this, i);
}

static Graph& top_of(Graph& graph) {
  Graph* top = &graph;
  while (top->parent()) top = top->parent();
  return *top;
}

std::string Graph::unique_name(std::string_view hint) {
  Graph& top = top_of(*this);
  std::string name(hint);
  if (!name.empty() && top.names_.insert(name).second) return name;
  const std::string stem = hint.empty() ? "v" : std::string(hint) + "_";
  do name = stem + std::to_string(top.next_id_++);
  while (!top.names_.insert(name).second);
  return name;
}

Value* Graph::new_value(std::string name, Type type) {
  auto value = std::make_unique<Value>();
  value->name_ = unique_name(name);
  value->type_ = std::move(type);
  value->graph_ = this;
  return values_.emplace_back(std::move(value)).get();
}

Value* Graph::add_input(std::string name, Type type) {
  Value* value = new_value(std::move(name), std::move(type));
  value->is_input_ = true;
  return inputs_.emplace_back(value);
}

Value* Graph::add_constant(Tensor tensor, std::string name) {
  LAPIS_ASSERT(tensor.defined(), "a constant needs a tensor");
  Value* value = new_value(name.empty() ? "c" : std::move(name), Type::of(tensor));
  value->constant_ = std::move(tensor);
  return value;
}

Node* Graph::add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                      std::vector<std::string> outputs, Node* before, std::string name) {
  LAPIS_ASSERT(!before || before->graph_ == this, "the insertion point lies in another graph");
  auto owned = std::make_unique<Node>();
  Node* node = owned.get();
  node->op_ = &op;
  node->graph_ = this;
  node->name_ = std::move(name);
  node->attributes_ = std::move(attributes);
  node->position_ = nodes_.insert(before ? before->position_ : nodes_.end(), std::move(owned));
  for (size_t i = 0; i < inputs.size(); ++i) {
    node->inputs_.push_back(inputs[i]);
    add_use(inputs[i], node, i);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    Value* value = new_value(std::move(outputs[i]), Type{});
    value->producer_ = node;
    value->output_index_ = i;
    node->outputs_.push_back(value);
  }
  if (node->name_.empty()) node->name_ = node->outputs_.empty() ? std::string(op.name) : node->outputs_[0]->name_;
  for (auto& [key, attribute] : node->attributes_)
    if (auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute))
      LAPIS_ASSERT((*graph)->parent_ == this, "subgraph of another graph");
  return node;
}

void Graph::rename(Value* value, std::string name) {
  Graph& top = top_of(*this);
  top.names_.erase(value->name_);
  value->name_ = unique_name(name);
}

Value* Graph::find_value(std::string_view name) const {
  for (const auto& value : values_)
    if (value->name_ == name) return value.get();
  return nullptr;
}

std::vector<Value*> Graph::constants() const {
  std::vector<Value*> constants;
  for (const auto& value : values_)
    if (value->is_constant()) constants.push_back(value.get());
  return constants;
}

void Graph::add_use(Value* value, Node* node, size_t index) {
  if (value) value->uses_.push_back({node, index});
}

void Graph::remove_use(Value* value, Node* node, size_t index) {
  if (!value) return;
  auto& uses = value->uses_;
  const auto it = std::find(uses.begin(), uses.end(), Use{node, index});
  LAPIS_ASSERT(it != uses.end(),
               "use list of '" << value->name_ << "' lost operand " << index << " of '" << node->name() << "'");
  uses.erase(it);
}

void Graph::replace_all_uses(Value* from, Value* to) {
  if (from == to) return;
  for (const Use& use : std::vector<Use>(from->uses_)) use.node->set_input(use.index, to);
  std::replace(from->graph_->outputs_.begin(), from->graph_->outputs_.end(), from, to);
}

void Graph::erase(Node* node) {
  LAPIS_ASSERT(node->graph_ == this, "node '" << node->name() << "' belongs to another graph");
  // Nodes of nested subgraphs may use our values: drop them first, so that no use list points into freed memory.
  for (Graph* subgraph : node->subgraphs()) {
    subgraph->outputs_.clear();
    while (!subgraph->nodes_.empty()) subgraph->erase(subgraph->nodes_.back().get());
  }
  for (size_t i = 0; i < node->inputs_.size(); ++i) remove_use(node->inputs_[i], node, i);
  for (Value* output : node->outputs_) {
    if (!output) continue;
    LAPIS_ASSERT(output->unused(),
                 "erasing '" << node->name() << "' whose output '" << output->name_ << "' is still used");
    top_of(*this).names_.erase(output->name_);
    values_.remove_if([&](const auto& v) { return v.get() == output; });
  }
  nodes_.erase(node->position_);
}

void Graph::drop_output(Node* node, size_t i) {
  Value* output = node->output(i);
  LAPIS_ASSERT(output && output->unused(), "output " << i << " of '" << node->name() << "' is absent or used");
  node->outputs_[i] = nullptr;
  while (node->outputs_.size() > 1 && !node->outputs_.back()) node->outputs_.pop_back();
  top_of(*this).names_.erase(output->name_);
  values_.remove_if([&](const auto& v) { return v.get() == output; });
}

void Graph::erase_unused_constants() {
  std::unordered_set<const Value*> outputs(outputs_.begin(), outputs_.end());
  values_.remove_if([&](const auto& v) {
    const bool dead = v->is_constant() && v->uses_.empty() && !outputs.contains(v.get());
    if (dead) top_of(*this).names_.erase(v->name_);
    return dead;
  });
}

void Graph::remove_input(Value* input) {
  LAPIS_ASSERT(input->is_input_ && input->unused(), "input '" << input->name_ << "' is still used");
  std::erase(inputs_, input);
  top_of(*this).names_.erase(input->name_);
  values_.remove_if([&](const auto& v) { return v.get() == input; });
}

void Graph::move_before(Node* node, Node* before) { nodes_.splice(before->position_, nodes_, node->position_); }

// Values of `graph` that the node needs, directly or from within its subgraphs.
static void collect_dependencies(const Node& node, const Graph& graph, std::vector<Node*>& producers) {
  for (Value* input : node.inputs())
    if (input && input->producer() && &input->graph() == &graph) producers.push_back(input->producer());
  for (Graph* subgraph : node.subgraphs()) {
    for (Node* inner : subgraph->nodes()) collect_dependencies(*inner, graph, producers);
    for (Value* output : subgraph->outputs())
      if (output->producer() && &output->graph() == &graph) producers.push_back(output->producer());
  }
}

bool Graph::sort_topologically() {
  std::unordered_map<Node*, int> pending;
  std::unordered_map<Node*, std::vector<Node*>> consumers;
  for (const auto& node : nodes_) {
    std::vector<Node*> producers;
    collect_dependencies(*node, *this, producers);
    std::sort(producers.begin(), producers.end());
    producers.erase(std::unique(producers.begin(), producers.end()), producers.end());
    pending[node.get()] = static_cast<int>(producers.size());
    for (Node* p : producers) consumers[p].push_back(node.get());
  }
  // Repeatedly take the first ready node in the present order: stable, and linear when the order is already right.
  std::map<size_t, Node*> ready;
  std::unordered_map<Node*, size_t> rank;
  for (const auto& node : nodes_) {
    const size_t place = rank.size();
    rank[node.get()] = place;
    if (pending[node.get()] == 0) ready[place] = node.get();
  }
  std::list<std::unique_ptr<Node>> sorted;
  while (!ready.empty()) {
    Node* node = ready.begin()->second;
    ready.erase(ready.begin());
    sorted.splice(sorted.end(), nodes_, node->position_);
    for (Node* c : consumers[node])
      if (--pending[c] == 0) ready[rank[c]] = c;
  }
  const bool acyclic = nodes_.empty();
  sorted.splice(sorted.end(), nodes_);
  nodes_ = std::move(sorted);
  return acyclic;
}

void Graph::clone_into(Graph& copy, std::map<const Value*, Value*>& values) const {
  copy.metadata_ = metadata_;
  for (const auto& value : values_) {
    if (value->producer_) continue;
    values[value.get()] = value->is_input_ ? copy.add_input(value->name_, value->type_)
                                           : copy.add_constant(value->constant_, value->name_);
    values[value.get()]->type_ = value->type_;
  }
  for (size_t i = 0; i < inputs_.size(); ++i) copy.inputs_[i] = values.at(inputs_[i]);
  auto mapped = [&](Value* v) { return v ? values.at(v) : nullptr; };
  for (const auto& node : nodes_) {
    std::vector<Value*> inputs;
    std::transform(node->inputs_.begin(), node->inputs_.end(), std::back_inserter(inputs), mapped);
    Attributes attributes;
    for (const auto& [name, attribute] : node->attributes_) {
      const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute);
      if (!graph) {
        attributes.emplace(name, attribute);
        continue;
      }
      auto inner = copy.make_subgraph((*graph)->name());
      (*graph)->clone_into(*inner, values);
      attributes.emplace(name, std::move(inner));
    }
    std::vector<std::string> names;
    for (Value* v : node->outputs_) names.push_back(v ? v->name_ : "");
    Node* twin =
        copy.add_node(*node->op_, std::move(inputs), std::move(attributes), std::move(names), nullptr, node->name_);
    twin->origin_ = node->origin_;
    for (size_t i = 0; i < node->outputs_.size(); ++i) {
      if (!node->outputs_[i]) {
        twin->outputs_[i] = nullptr;
        continue;
      }
      twin->outputs_[i]->type_ = node->outputs_[i]->type_;
      values[node->outputs_[i]] = twin->outputs_[i];
    }
  }
  std::transform(outputs_.begin(), outputs_.end(), std::back_inserter(copy.outputs_), mapped);
}

std::unique_ptr<Graph> Graph::clone() const {
  LAPIS_ASSERT(!parent_, "only a whole model is cloned");
  auto copy = std::make_unique<Graph>(name_);
  std::map<const Value*, Value*> values;
  clone_into(*copy, values);
  copy->next_id_ = next_id_;
  return copy;
}

}  // namespace lapis
