#include "ir/graph.h"

#include <algorithm>
#include <utility>

#include "ir/op.h"

namespace lapis {

Attribute::Attribute() = default;
Attribute::Attribute(const Attribute& other) = default;
Attribute::Attribute(Attribute&& other) noexcept = default;
Attribute& Attribute::operator=(const Attribute& other) = default;
Attribute& Attribute::operator=(Attribute&& other) noexcept = default;
Attribute::~Attribute() = default;

const Attribute* Node::attribute(std::string_view name) const {
  const auto it = attributes_.find(name);
  return it == attributes_.end() ? nullptr : &it->second;
}

void Node::set_attribute(std::string name, Attribute value) {
  attributes_[std::move(name)] = std::move(value);
  graph_->note_edit();
}

void Node::remove_attribute(std::string_view name) {
  const auto it = attributes_.find(name);
  if (it == attributes_.end()) return;
  attributes_.erase(it);
  graph_->note_edit();
}

std::vector<Graph*> Node::subgraphs() const {
  std::vector<Graph*> graphs;
  for (const auto& [name, attribute] : attributes_)
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute)) graphs.push_back(graph->get());
  return graphs;
}

void Node::set_input(size_t i, Value* value) {
  if (i >= inputs_.size()) {
    inputs_.resize(i + 1, nullptr);
    slots_.resize(i + 1);
  }
  if (inputs_[i] == value) return;
  Graph::remove_use(this, i);
  inputs_[i] = value;
  Graph::add_use(this, i);
  graph_->note_edit();
}

void Value::set_type(Type type) {
  if (!(type_ == type)) graph_->note_edit();
  type_ = std::move(type);
}

template <class SomeGraph> static SomeGraph& top_of(SomeGraph& graph) {
  SomeGraph* top = &graph;
  while (top->parent()) top = top->parent();
  return *top;
}

void Graph::note_edit() { ++top_of(*this).revision_; }
void Graph::restore_revision(uint64_t revision) { top_of(*this).revision_ = revision; }
uint64_t Graph::revision() const { return top_of(*this).revision_; }

// ---- names ----------------------------------------------------------------------------------------------------------
// Those of the top-level graph.

static uint64_t hash_of(std::string_view name) { return std::hash<std::string_view>()(name); }

bool Graph::is_taken(std::string_view name) const {
  const auto is_it = [&](const Value& value) { return value.name() == name; };
  return names_.find(hash_of(name), is_it) || (!reserved_.empty() && reserved_.contains(std::string(name)));
}

// `hint` itself where it is free.
std::string Graph::free_name(std::string hint) {
  if (!hint.empty() && !is_taken(hint)) return hint;
  const std::string stem = hint.empty() ? "v" : std::move(hint) + "_";
  std::string name;
  do name = stem + std::to_string(next_id_++);
  while (is_taken(name));
  return name;
}

void Graph::name(Value* value, std::string name) {
  value->name_ = std::move(name);
  names_.insert(hash_of(value->name_), value);
}

void Graph::unname(Value* value) { names_.erase(hash_of(value->name_), value); }

std::string Graph::unique_name(std::string_view hint) {
  Graph& top = top_of(*this);
  return *top.reserved_.insert(top.free_name(std::string(hint))).first;
}

Value* Graph::new_value(std::list<Value>& values, std::string name, Type type) {
  Value* value = &values.emplace_back();
  value->position_ = std::prev(values.end());
  value->type_ = std::move(type);
  value->graph_ = this;
  Graph& top = top_of(*this);
  top.name(value, top.free_name(std::move(name)));
  note_edit();
  return value;
}

// The value and its name cease to be.
void Graph::forget(Value* value) {
  note_edit();
  top_of(*this).unname(value);
  (value->is_constant() ? constants_ : values_).erase(value->position_);
}

Value* Graph::add_input(std::string name, Type type) {
  Value* value = new_value(values_, std::move(name), std::move(type));
  value->is_input_ = true;
  return inputs_.emplace_back(value);
}

Value* Graph::add_constant(Tensor tensor, std::string name) {
  LAPIS_ASSERT(tensor.defined(), "a constant needs a tensor");
  Value* value = new_value(constants_, name.empty() ? "c" : std::move(name), Type::of(tensor));
  value->constant_ = std::move(tensor);
  return value;
}

Node* Graph::add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                      std::vector<std::string> outputs, Node* before, std::string name) {
  LAPIS_ASSERT(!before || before->graph_ == this, "the insertion point lies in another graph");
  const auto position = nodes_.emplace(before ? before->position_ : nodes_.end());
  Node* node = &*position;
  node->position_ = position;
  node->op_ = &op;
  node->graph_ = this;
  node->name_ = std::move(name);
  node->attributes_ = std::move(attributes);
  node->inputs_ = std::move(inputs);
  node->slots_.resize(node->inputs_.size());
  for (size_t i = 0; i < node->inputs_.size(); ++i) add_use(node, i);
  note_edit();
  for (size_t i = 0; i < outputs.size(); ++i) {
    Value* value = new_value(values_, std::move(outputs[i]), Type{});
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
  top.unname(value);
  top.name(value, top.free_name(std::move(name)));
  note_edit();
}

Value* Graph::find_value(std::string_view name) const {
  Value* const value = top_of(*this).names_.find(hash_of(name), [&](const Value& v) { return v.name() == name; });
  return value && value->graph_ == this ? value : nullptr;
}

// ---- outputs --------------------------------------------------------------------------------------------------------

void Graph::list(Value* value, size_t i) {
  note_edit();
  outputs_[i] = value;
  if (!value || value->graph_ != this) return;  // the verifier's business
  ++value->listed_;
  value->listed_at_ = i;
}

void Graph::unlist(Value* value) {
  if (value && value->graph_ == this) --value->listed_;
}

void Graph::set_outputs(std::vector<Value*> outputs) {
  note_edit();
  for (Value* value : outputs_) unlist(value);
  outputs_.assign(outputs.size(), nullptr);
  for (size_t i = 0; i < outputs.size(); ++i) list(outputs[i], i);
}

void Graph::set_output(size_t i, Value* value) {
  unlist(outputs_[i]);
  list(value, i);
}

std::vector<Value*> Graph::constants() const {
  std::vector<Value*> constants;
  for (const Value& constant : constants_) constants.push_back(const_cast<Value*>(&constant));  // as nodes()
  return constants;
}

// ---- uses -----------------------------------------------------------------------------------------------------------

void Graph::add_use(Node* node, size_t index) {
  Value* value = node->inputs_[index];
  if (!value) return;
  node->slots_[index] = value->uses_.size();
  value->uses_.push_back({node, index});
}

// The last use takes the place of the removed one.
void Graph::remove_use(Node* node, size_t index) {
  Value* value = node->inputs_[index];
  if (!value) return;
  auto& uses = value->uses_;
  const size_t slot = node->slots_[index];
  LAPIS_ASSERT(slot < uses.size() && uses[slot] == (Use{node, index}),
               "use list of '" << value->name_ << "' lost operand " << index << " of '" << node->name() << "'");
  uses[slot] = uses.back();
  uses[slot].node->slots_[uses[slot].index] = slot;
  uses.pop_back();
}

void Graph::replace_all_uses(Value* from, Value* to) {
  if (from == to) return;
  for (const Use& use : std::vector<Use>(from->uses_)) use.node->set_input(use.index, to);
  Graph& graph = *from->graph_;
  if (!from->is_graph_output()) return;
  if (graph.outputs_[from->listed_at_] == from) graph.set_output(from->listed_at_, to);
  for (size_t i = 0; from->is_graph_output() && i < graph.outputs_.size(); ++i)
    if (graph.outputs_[i] == from) graph.set_output(i, to);
}

// ---- erasing --------------------------------------------------------------------------------------------------------

Graph::~Graph() {
  if (!parent_) ending_ = true;
  if (!top_of(*this).ending_) clear();
  nodes_.clear();  // whose subgraphs still ask us
}

// Nobody outside of this subgraph knows anything of it any more.
void Graph::clear() {
  set_outputs({});
  while (!nodes_.empty()) erase(&nodes_.back());
  inputs_.clear();
  for (auto* values : {&values_, &constants_}) {
    for (Value& value : *values) top_of(*this).unname(&value);
    values->clear();
  }
}

void Graph::erase(Node* node) {
  LAPIS_ASSERT(node->graph_ == this, "node '" << node->name() << "' belongs to another graph");
  // Nodes of nested subgraphs may use our values: drop them first, so that no use list points into freed memory.
  for (Graph* subgraph : node->subgraphs()) subgraph->clear();
  for (size_t i = 0; i < node->inputs_.size(); ++i) remove_use(node, i);
  for (Value* output : node->outputs_) {
    if (!output) continue;
    LAPIS_ASSERT(output->unused(),
                 "erasing '" << node->name() << "' whose output '" << output->name_ << "' is still used");
    forget(output);
  }
  nodes_.erase(node->position_);
  note_edit();
}

void Graph::erase(Value* constant) {
  LAPIS_ASSERT(constant->is_constant() && constant->unused(), "constant '" << constant->name_ << "' is still used");
  forget(constant);
}

void Graph::drop_output(Node* node, size_t i) {
  Value* output = node->output(i);
  LAPIS_ASSERT(output && output->unused(), "output " << i << " of '" << node->name() << "' is absent or used");
  node->outputs_[i] = nullptr;
  while (node->outputs_.size() > 1 && !node->outputs_.back()) node->outputs_.pop_back();
  forget(output);
}

void Graph::erase_unused_constants() {
  for (auto at = constants_.begin(); at != constants_.end();)
    if (Value& constant = *at++; constant.unused()) forget(&constant);
}

void Graph::remove_input(Value* input) {
  LAPIS_ASSERT(input->is_input_ && input->unused(), "input '" << input->name_ << "' is still used");
  std::erase(inputs_, input);
  forget(input);
}

void Graph::move_before(Node* node, Node* before) {
  nodes_.splice(before->position_, nodes_, node->position_);
  note_edit();
}

// ---- copies ---------------------------------------------------------------------------------------------------------

void Graph::clone_into(Graph& copy, std::unordered_map<const Value*, Value*>& values) const {
  copy.metadata_ = metadata_;
  for (const Value* input : inputs_) values[input] = copy.add_input(input->name_, input->type_);
  for (const Value& constant : constants_) {
    Value* twin = values[&constant] = copy.add_constant(constant.constant_, constant.name_);
    twin->type_ = constant.type_;
  }
  // What is not copied belongs to a graph around this one.
  auto mapped = [&](Value* v) {
    const auto it = values.find(v);
    return it == values.end() ? v : it->second;
  };
  for (const Node& node : nodes_) {
    std::vector<Value*> inputs;
    std::transform(node.inputs_.begin(), node.inputs_.end(), std::back_inserter(inputs), mapped);
    Attributes attributes;
    for (const auto& [name, attribute] : node.attributes_) {
      const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute);
      if (!graph) {
        attributes.emplace(name, attribute);
        continue;
      }
      attributes.emplace(name, copy.copy_subgraph(**graph, values));
    }
    std::vector<std::string> names;
    for (Value* v : node.outputs_) names.push_back(v ? v->name_ : "");
    Node* twin =
        copy.add_node(*node.op_, std::move(inputs), std::move(attributes), std::move(names), nullptr, node.name_);
    twin->origin_ = node.origin_;
    for (size_t i = 0; i < node.outputs_.size(); ++i) {
      if (!node.outputs_[i]) {
        copy.forget(std::exchange(twin->outputs_[i], nullptr));
        continue;
      }
      twin->outputs_[i]->type_ = node.outputs_[i]->type_;
      values[node.outputs_[i]] = twin->outputs_[i];
    }
  }
  std::vector<Value*> outputs;
  std::transform(outputs_.begin(), outputs_.end(), std::back_inserter(outputs), mapped);
  copy.set_outputs(std::move(outputs));
}

std::shared_ptr<Graph> Graph::copy_subgraph(const Graph& body, std::unordered_map<const Value*, Value*>& values) {
  auto copy = make_subgraph(body.name_);
  body.clone_into(*copy, values);
  return copy;
}

std::unique_ptr<Graph> Graph::clone() const {
  LAPIS_ASSERT(!parent_, "only a whole model is cloned");
  auto copy = std::make_unique<Graph>(name_);
  copy->names_.reserve(names_.size());
  std::unordered_map<const Value*, Value*> values;
  values.reserve(names_.size());
  clone_into(*copy, values);
  copy->next_id_ = next_id_;
  return copy;
}

}  // namespace lapis
