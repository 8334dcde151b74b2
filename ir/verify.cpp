#include "ir/verify.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "base/pointer_map.h"
#include "ir/infer.h"
#include "ir/printer.h"

namespace lapis {
namespace {

std::string quoted(const Value& value) { return "'" + value.name() + "'"; }

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) { collect(graph); }

  Diagnostics run(VerifyLevel level) {
    check_values();
    check_graph(graph_);
    check_uses();
    if (level == VerifyLevel::Full && found_.empty()) check_types(graph_);
    return std::move(found_);
  }

 private:
  struct Operand {
    const Node* node;
    size_t index;
    auto operator<=>(const Operand&) const = default;
  };

  // ---- everything alive, gathered first: a dangling pointer may be compared with these but never followed -----------

  void collect(const Graph& graph) {
    if (!graphs_.insert(&graph).second) return;
    for (const Value* input : graph.inputs()) collect(input);
    for (const Value* constant : graph.constants()) collect(constant);
    for (const Node* node : graph.nodes()) {
      nodes_.insert(node, true);
      for (const Value* output : node->outputs())
        if (output) collect(output);
      for (const Graph* subgraph : node->subgraphs()) collect(*subgraph);
    }
  }
  void collect(const Value* value) {
    numbers_.insert(value, static_cast<uint32_t>(values_.size()));
    values_.push_back(value);
  }

  bool is_alive(const Value* value) const { return numbers_.contains(value); }
  bool is_defined(const Value* value) const { return defined_[*numbers_.find(value)]; }
  void define(const Value* value) {
    if (const uint32_t* number = numbers_.find(value)) defined_[*number] = true;
  }

  // ---- structure ----------------------------------------------------------------------------------------------------

  void check_values() {
    defined_.resize(values_.size());
    const std::vector<bool> taken = taken_names();
    for (size_t i = 0; i < values_.size(); ++i) {
      const Value* value = values_[i];
      if (*numbers_.find(value) != i) {
        report(*value, "is listed twice as an input, a constant or an output of a node");
        continue;
      }
      if (value->name().empty())
        report(*value, "has no name");
      else if (taken[i])
        report(*value, "shares its name with another value");
      const int roles = (value->is_input() ? 1 : 0) + (value->is_constant() ? 1 : 0) + (value->producer() ? 1 : 0);
      if (roles != 1) report(*value, "must be exactly one of input, constant and output of a node");
    }
  }

  // By value: one before it has its name.
  std::vector<bool> taken_names() const {
    std::vector<std::pair<size_t, uint32_t>> by_hash;
    for (uint32_t i = 0; i < values_.size(); ++i)
      if (*numbers_.find(values_[i]) == i) by_hash.emplace_back(std::hash<std::string_view>()(values_[i]->name()), i);
    std::sort(by_hash.begin(), by_hash.end());
    std::vector<bool> taken(values_.size());
    for (size_t i = 1; i < by_hash.size(); ++i)
      for (size_t j = i; j-- > 0 && by_hash[j].first == by_hash[i].first && !taken[by_hash[i].second];)
        taken[by_hash[i].second] = values_[by_hash[i].second]->name() == values_[by_hash[j].second]->name();
    return taken;
  }

  void check_graph(const Graph& graph) {
    for (const Value* input : graph.inputs()) {
      if (!input->is_input()) report(*input, "is listed as an input of '" + graph.name() + "' but is none");
      define(input);
    }
    for (const Value* constant : graph.constants()) define(constant);
    for (const Node* node : graph.nodes()) check_node(graph, *node);
    check_outputs(graph);
  }

  void check_outputs(const Graph& graph) {
    if (graph.outputs().empty()) report("graph '" + graph.name() + "'", "has no outputs");
    std::unordered_set<const Value*> seen;
    for (const Value* output : graph.outputs()) {
      if (!is_alive(output))
        report("graph '" + graph.name() + "'", "an output is a value that no longer exists");
      else if (&output->graph() != &graph)
        report(*output,
               "is an output of '" + graph.name() + "' but belongs to another graph; an Identity node can bring it in");
      else if (!seen.insert(output).second)
        report(*output, "is listed twice as an output of '" + graph.name() + "'");
    }
  }

  void check_node(const Graph& graph, const Node& node) {
    if (&node.graph() != &graph) report(node, "belongs to another graph than the one that lists it");
    for (size_t i = 0; i < node.inputs().size(); ++i) check_operand(node, i);
    check_operand_counts(node);
    check_attributes(node);
    for (const Graph* subgraph : node.subgraphs()) check_subgraph(node, *subgraph);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Value* output = node.outputs()[i];
      if (!output) continue;
      if (output->producer() != &node || output->output_index() != i || &output->graph() != &graph)
        report(node, "output " + std::to_string(i) + " " + quoted(*output) + " does not know that it is computed here");
      define(output);
    }
  }

  void check_operand(const Node& node, size_t i) {
    const Value* value = node.inputs()[i];
    if (!value) return;
    if (!is_alive(value)) return report(node, "operand " + std::to_string(i) + " is a value that no longer exists");
    operands_.emplace_back(*numbers_.find(value), Operand{&node, i});
    if (!encloses(value->graph(), node.graph()))
      report(node, "operand " + quoted(*value) + " belongs to a graph that does not enclose this node");
    else if (!is_defined(value))
      report(node, "operand " + quoted(*value) + " is computed after it is used");
  }

  static bool encloses(const Graph& outer, const Graph& inner) {
    for (const Graph* g = &inner; g; g = g->parent())
      if (g == &outer) return true;
    return false;
  }

  void check_subgraph(const Node& node, const Graph& subgraph) {
    if (!held_.insert(&subgraph).second)
      return report(node, "subgraph '" + subgraph.name() + "' is held by another attribute already");
    if (subgraph.parent() != &node.graph())
      return report(node, "subgraph '" + subgraph.name() + "' was made for another graph");
    check_graph(subgraph);
  }

  // The use list of every value has each operand that reads it, once.
  void check_uses() {
    std::stable_sort(operands_.begin(), operands_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    auto next = operands_.begin();
    std::vector<Operand> recorded;
    for (uint32_t i = 0; i < values_.size(); ++i) {
      recorded.clear();
      for (const Use& use : values_[i]->uses())
        if (is_use(*values_[i], use)) recorded.push_back({use.node, use.index});
      std::sort(recorded.begin(), recorded.end());
      for (; next != operands_.end() && next->first == i; ++next) check_recorded(*values_[i], next->second, recorded);
    }
  }

  bool is_use(const Value& value, const Use& use) {
    if (!nodes_.contains(use.node))
      report(value, "has a use by a node that no longer exists");
    else if (use.node->input(use.index) != &value)
      report(value, "has a use as operand " + std::to_string(use.index) + " of '" + use.node->name() +
                        "', which reads something else");
    else
      return true;
    return false;
  }

  void check_recorded(const Value& value, const Operand& operand, const std::vector<Operand>& recorded) {
    const auto [begin, end] = std::equal_range(recorded.begin(), recorded.end(), operand);
    if (end - begin == 1) return;
    report(*operand.node, "operand " + std::to_string(operand.index) + " is " + std::to_string(end - begin) +
                              " times in the use list of " + quoted(value));
  }

  // ---- records ------------------------------------------------------------------------------------------------------

  void check_operand_counts(const Node& node) {
    const OpDef& op = node.op();
    if (node.inputs().size() > op.max_inputs())
      report(node, "has " + std::to_string(node.inputs().size()) + " inputs, at most " +
                       std::to_string(op.max_inputs()) + " are allowed");
    for (size_t i = 0; i < op.inputs.size(); ++i)
      if (!op.inputs[i].optional && !op.inputs[i].variadic && !node.input(i))
        report(node, "required input '" + std::string(op.inputs[i].name) + "' is missing");
    const bool variadic = !op.outputs.empty() && op.outputs.back().variadic;
    if (node.outputs().size() > op.outputs.size() && !variadic)
      report(node, "has " + std::to_string(node.outputs().size()) + " outputs, at most " +
                       std::to_string(op.outputs.size()) + " are allowed");
  }

  void check_attributes(const Node& node) {
    for (const auto& [name, attribute] : node.attributes()) {
      const AttrDef* def = node.op().attribute(name);
      if (!def)
        report(node, "has no attribute '" + name + "'");
      else if (kind_of(attribute) != def->kind)
        report(node, "attribute '" + name + "' is " + std::string(name_of(kind_of(attribute))) + ", it must be " +
                         std::string(name_of(def->kind)));
    }
    for (const AttrDef& def : node.op().attributes)
      if (def.required && !node.attribute(def.name))
        report(node, "required attribute '" + std::string(def.name) + "' is missing");
  }

  // ---- types --------------------------------------------------------------------------------------------------------

  void check_types(const Graph& graph) {
    for (const Value* input : graph.inputs()) check_type(*input);
    for (const Value* constant : graph.constants())
      if (!(constant->type() == Type::of(constant->constant())))
        report(*constant,
               "is typed " + constant->type().to_string() + " but holds " + Type::of(constant->constant()).to_string());
    for (const Node* node : graph.nodes()) {
      for (const Graph* subgraph : node->subgraphs()) check_types(*subgraph);
      for (const Value* output : node->outputs())
        if (output) check_type(*output);
      if (check_operand_types(*node)) check_inferred_types(*node);
    }
  }

  void check_type(const Value& value) {
    if (value.type().is_tensor() && value.dtype() == DType::Undefined) report(value, "has no type");
  }

  bool check_operand_types(const Node& node) {
    const size_t before = found_.size();
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* value = node.inputs()[i];
      if (!value || !value->type().is_tensor()) continue;
      if (value->dtype() == DType::Undefined) return false;  // reported where it is computed
      if (!allows(node.op().input(i).types, value->dtype()))
        report(node, "input '" + std::string(node.op().input(i).name) + "' cannot be " +
                         std::string(name_of(value->dtype())));
    }
    return found_.size() == before;
  }

  void check_inferred_types(const Node& node) {
    if (!node.op().infer) return;
    const InferContext context(node, contents_);
    const Result<Types> inferred = node.op().infer(context);
    if (!inferred.ok()) {
      for (const Diagnostic& d : inferred.diagnostics()) report(node, d.message);
      return;
    }
    for (size_t i = 0; i < std::min(inferred->size(), node.outputs().size()); ++i) {
      const Value* output = node.output(i);
      if (output && !merge(output->type(), (*inferred)[i]))
        report(node, "output " + quoted(*output) + " is declared as " + output->type().to_string() +
                         " but the operands give " + (*inferred)[i].to_string());
    }
    if (auto contents = computed_contents(context)) contents_.insert_or_assign(node.output(0), *std::move(contents));
  }

  // ---- reports ------------------------------------------------------------------------------------------------------

  Diagnostic& report(std::string where, std::string message) {
    return found_.emplace_back(error(ErrorKind::Input, std::move(message)).at(std::move(where)));
  }
  void report(const Value& value, std::string message) { report("value " + quoted(value), std::move(message)); }
  void report(const Node& node, std::string message) {
    Diagnostic& d = report(location_of(node), std::move(message));
    const bool printable =
        std::all_of(node.inputs().begin(), node.inputs().end(), [&](const Value* v) { return !v || is_alive(v); });
    if (printable) d.note(print(node));
  }

  const Graph& graph_;
  Diagnostics found_;
  std::vector<const Value*> values_;
  PointerMap<Value, uint32_t> numbers_;  // in values_
  PointerMap<Node, bool> nodes_;
  std::unordered_set<const Graph*> graphs_, held_;
  std::vector<bool> defined_;                           // so far, by number
  std::vector<std::pair<uint32_t, Operand>> operands_;  // of all nodes, with the number of what they read
  InferContext::Contents contents_;
};

}  // namespace

Diagnostics verify(const Graph& graph, VerifyLevel level) { return Verifier(graph).run(level); }

}  // namespace lapis
