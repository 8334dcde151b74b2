#include "ir/verify.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

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
  using Operand = std::pair<const Node*, size_t>;
  struct HashOperand {
    size_t operator()(const Operand& o) const {
      return std::hash<const Node*>()(o.first) ^ (o.second * 0x9E3779B97F4A7C15ull);
    }
  };

  // ---- everything alive, gathered first: a dangling pointer may be compared with these but never followed -----------

  void collect(const Graph& graph) {
    if (!graphs_.insert(&graph).second) return;
    values_.insert(values_.end(), graph.inputs().begin(), graph.inputs().end());
    for (const Value* constant : graph.constants()) values_.push_back(constant);
    for (const Node* node : graph.nodes()) {
      nodes_.insert(node);
      for (const Value* output : node->outputs())
        if (output) values_.push_back(output);
      for (const Graph* subgraph : node->subgraphs()) collect(*subgraph);
    }
    alive_.insert(values_.begin(), values_.end());
  }

  // ---- structure ----------------------------------------------------------------------------------------------------

  void check_values() {
    std::unordered_set<std::string_view> names;
    std::unordered_set<const Value*> seen;
    for (const Value* value : values_) {
      if (!seen.insert(value).second) {
        report(*value, "is listed twice as an input, a constant or an output of a node");
        continue;
      }
      if (value->name().empty())
        report(*value, "has no name");
      else if (!names.insert(value->name()).second)
        report(*value, "shares its name with another value");
      const int roles = (value->is_input() ? 1 : 0) + (value->is_constant() ? 1 : 0) + (value->producer() ? 1 : 0);
      if (roles != 1) report(*value, "must be exactly one of input, constant and output of a node");
    }
  }

  void check_graph(const Graph& graph) {
    for (const Value* input : graph.inputs()) {
      if (!input->is_input()) report(*input, "is listed as an input of '" + graph.name() + "' but is none");
      defined_.insert(input);
    }
    for (const Value* constant : graph.constants()) defined_.insert(constant);
    for (const Node* node : graph.nodes()) check_node(graph, *node);
    check_outputs(graph);
  }

  void check_outputs(const Graph& graph) {
    if (graph.outputs().empty()) report("graph '" + graph.name() + "'", "has no outputs");
    std::unordered_set<const Value*> seen;
    for (const Value* output : graph.outputs()) {
      if (!alive_.contains(output))
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
      defined_.insert(output);
    }
  }

  void check_operand(const Node& node, size_t i) {
    const Value* value = node.inputs()[i];
    if (!value) return;
    if (!alive_.contains(value))
      return report(node, "operand " + std::to_string(i) + " is a value that no longer exists");
    uses_.insert({value, {&node, i}});
    if (!encloses(value->graph(), node.graph()))
      report(node, "operand " + quoted(*value) + " belongs to a graph that does not enclose this node");
    else if (!defined_.contains(value))
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

  void check_uses() {
    for (const Value* value : values_) {
      std::unordered_map<Operand, int, HashOperand> recorded;
      for (const Use& use : value->uses()) {
        if (!nodes_.contains(use.node))
          report(*value, "has a use by a node that no longer exists");
        else if (use.node->input(use.index) != value)
          report(*value, "has a use as operand " + std::to_string(use.index) + " of '" + use.node->name() +
                             "', which reads something else");
        else
          ++recorded[{use.node, use.index}];
      }
      const auto [begin, end] = uses_.equal_range(value);
      for (auto it = begin; it != end; ++it) {
        const auto [node, index] = it->second;
        const int count = recorded[it->second];
        if (count != 1)
          report(*node, "operand " + std::to_string(index) + " is " + std::to_string(count) +
                            " times in the use list of " + quoted(*value));
      }
    }
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
    if (node.op().propagate && node.output())
      if (auto contents = node.op().propagate(context)) contents_.insert_or_assign(node.output(), *std::move(contents));
  }

  // ---- reports ------------------------------------------------------------------------------------------------------

  Diagnostic& report(std::string where, std::string message) {
    return found_.emplace_back(error(ErrorKind::Input, std::move(message)).at(std::move(where)));
  }
  void report(const Value& value, std::string message) { report("value " + quoted(value), std::move(message)); }
  void report(const Node& node, std::string message) {
    Diagnostic& d = report(location_of(node), std::move(message));
    const bool printable = std::all_of(node.inputs().begin(), node.inputs().end(),
                                       [&](const Value* v) { return !v || alive_.contains(v); });
    if (printable) d.note(print(node));
  }

  const Graph& graph_;
  Diagnostics found_;
  std::vector<const Value*> values_;
  std::unordered_set<const Graph*> graphs_, held_;
  std::unordered_set<const Node*> nodes_;
  std::unordered_set<const Value*> alive_, defined_;
  std::unordered_multimap<const Value*, Operand> uses_;
  InferContext::Contents contents_;
};

}  // namespace

Diagnostics verify(const Graph& graph, VerifyLevel level) { return Verifier(graph).run(level); }

}  // namespace lapis
