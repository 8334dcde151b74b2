#include "frontends/tensorflow/branches.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "frontends/common/bodies.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;

bool is_merge(const SourceNode& node) {
  return (node.op == "Merge" || node.op == "RefMerge") && node.inputs.size() == 2 && node.outputs.size() == 1;
}
bool is_switch(const SourceNode& node) {
  return (node.op == "Switch" || node.op == "RefSwitch") && node.inputs.size() == 2;
}

SourceNode same_node() {
  SourceNode same;
  same.op = "Identity";
  return same;
}

// What one input of a Merge needs, back to the Switch nodes.
struct Side {
  std::string result = {};
  std::set<size_t> nodes = {};  // without the Switch nodes
  std::set<size_t> switches = {};
  std::set<std::string> read = {};  // of the graph around: its inputs
  std::set<std::string> predicates = {};
  std::set<size_t> outputs = {};  // of Switch nodes: 1 where the predicate holds
};

struct Branch {
  size_t merge = 0;
  std::string predicate;
  Side sides[2];  // else, then
};

class Branches {
 public:
  explicit Branches(SourceGraph& graph) : graph_(graph) { index(); }

  void run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (is_merge(graph_.nodes[i]) && work_ < kMostWork) replace(i);
    if (replaced_) drop_unread();
  }

 private:
  void index() {
    producers_.clear();
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      for (size_t k = 0; k < graph_.nodes[i].outputs.size(); ++k) producers_[graph_.nodes[i].outputs[k]] = {i, k};
  }

  Side side_of(const std::string& result) const {
    Side side{.result = result};
    std::vector<std::string> open = {result};
    std::unordered_set<std::string> seen = {result};
    while (!open.empty()) {
      ++work_;
      const std::string name = std::move(open.back());
      open.pop_back();
      const auto from = producers_.find(name);
      if (from == producers_.end()) {
        if (!graph_.values.at(name).constant.defined()) side.read.insert(name);
        continue;
      }
      const SourceNode& node = graph_.nodes[from->second.first];
      if (is_switch(node)) {
        side.switches.insert(from->second.first);
        side.predicates.insert(node.inputs[1]);
        side.outputs.insert(from->second.second);
        continue;
      }
      side.nodes.insert(from->second.first);
      for (const std::string& input : node.inputs)
        if (!input.empty() && seen.insert(input).second) open.push_back(input);
    }
    return side;
  }

  // Both sides of a Merge, if they are the two sides of one predicate; a side that only has constants is the other one.
  std::optional<Branch> branch_of(size_t merge) const {
    Side a = side_of(graph_.nodes[merge].inputs[0]), b = side_of(graph_.nodes[merge].inputs[1]);
    std::set<std::string> predicates = a.predicates;
    predicates.insert(b.predicates.begin(), b.predicates.end());
    if (predicates.size() != 1 || a.outputs.size() > 1 || b.outputs.size() > 1) return std::nullopt;
    const size_t of_a = a.outputs.empty() ? 1 - *b.outputs.begin() : *a.outputs.begin();
    if (!b.outputs.empty() && *b.outputs.begin() == of_a) return std::nullopt;
    Branch branch{merge, *predicates.begin(), {}};
    branch.sides[of_a] = std::move(a);
    branch.sides[1 - of_a] = std::move(b);
    return branch;
  }

  bool needs(const Branch& branch, size_t node) const {
    return branch.sides[0].nodes.contains(node) || branch.sides[1].nodes.contains(node);
  }

  // The results of one tf.cond are neighbours: they become results of one node.
  std::vector<Branch> with_neighbours(Branch first) const {
    std::vector<Branch> group = {std::move(first)};
    for (size_t i = group[0].merge + 1; i < graph_.nodes.size() && work_ < kMostWork; ++i) {
      if (!is_merge(graph_.nodes[i])) continue;
      auto other = branch_of(i);
      if (!other || other->predicate != group[0].predicate) continue;
      const bool is_apart = std::ranges::none_of(group, [&](const Branch& b) { return needs(*other, b.merge); });
      if (is_apart) group.push_back(*std::move(other));
    }
    return group;
  }

  void replace(size_t merge) {
    auto first = branch_of(merge);
    if (!first) return;
    const std::vector<Branch> group = with_neighbours(*std::move(first));
    std::vector<std::string> operands;
    for (const Branch& branch : group)
      for (const Side& side : branch.sides) add_operands(side, operands);
    SourceNode node;
    node.op = "StatelessIf";
    node.name = graph_.nodes[merge].name;
    for (const size_t side : {1, 0}) node.bodies.push_back(body_of(group, side, operands, node.name));
    node.inputs = {group[0].predicate};
    node.inputs.insert(node.inputs.end(), operands.begin(), operands.end());
    for (const Branch& branch : group) {
      node.outputs.push_back(graph_.nodes[branch.merge].outputs[0]);
      graph_.nodes[branch.merge] = SourceNode();
    }
    graph_.nodes[merge] = std::move(node);
    replaced_ = true;
    index();
  }

  void add_operands(const Side& side, std::vector<std::string>& operands) const {
    const auto add = [&](const std::string& name) {
      if (std::ranges::find(operands, name) == operands.end()) operands.push_back(name);
    };
    for (const size_t i : side.switches) add(graph_.nodes[i].inputs[0]);
    for (const std::string& name : side.read) add(name);
  }

  std::shared_ptr<const SourceGraph> body_of(const std::vector<Branch>& group, size_t side,
                                             const std::vector<std::string>& operands, const std::string& name) const {
    SourceGraph graph;
    graph.file_bytes = graph_.file_bytes;
    std::unordered_map<std::string, std::string> arguments;  // by what the nodes read
    for (const std::string& operand : operands) {
      graph.inputs.push_back("argument/" + std::to_string(graph.inputs.size()));
      frontend::SourceValue value;
      value.given = true;
      graph.values.emplace(graph.inputs.back(), std::move(value));
      arguments.emplace(operand, graph.inputs.back());
    }
    std::set<size_t> nodes;
    for (const Branch& branch : group) {
      const Side& part = branch.sides[side];
      nodes.insert(part.nodes.begin(), part.nodes.end());
      for (const size_t i : part.switches)
        for (const std::string& output : graph_.nodes[i].outputs)
          arguments.insert_or_assign(output, arguments.at(graph_.nodes[i].inputs[0]));
    }
    const auto take = [&](std::string& value) {
      if (const auto it = arguments.find(value); it != arguments.end())
        value = it->second;
      else if (!value.empty())
        graph.values.emplace(value, graph_.values.at(value));
    };
    for (const size_t i : nodes) {
      SourceNode node = graph_.nodes[i];
      for (std::string& input : node.inputs) take(input);
      for (const std::string& output : node.outputs)
        if (!output.empty()) graph.values.emplace(output, graph_.values.at(output));
      graph.nodes.push_back(std::move(node));
    }
    for (const Branch& branch : group) take(graph.outputs.emplace_back(branch.sides[side].result));
    return std::make_shared<const SourceGraph>(
        frontend::own_body(graph, name + (side == 1 ? "/then/" : "/else/"), same_node()));
  }

  // Switch nodes, and what has moved into branches.
  void drop_unread() {
    std::vector<bool> needed(graph_.nodes.size());
    std::vector<std::string> open = graph_.outputs;
    while (!open.empty()) {
      const auto from = producers_.find(open.back());
      open.pop_back();
      if (from == producers_.end() || needed[from->second.first]) continue;
      needed[from->second.first] = true;
      const auto& inputs = graph_.nodes[from->second.first].inputs;
      open.insert(open.end(), inputs.begin(), inputs.end());
    }
    std::vector<SourceNode> kept;
    for (size_t i = 0; i < needed.size(); ++i)
      if (needed[i]) kept.push_back(std::move(graph_.nodes[i]));
    graph_.nodes = std::move(kept);
  }

  static constexpr size_t kMostWork = size_t{1} << 24;  // beyond it a graph is made to take time

  SourceGraph& graph_;
  mutable size_t work_ = 0;
  std::unordered_map<std::string, std::pair<size_t, size_t>> producers_;  // node and output
  bool replaced_ = false;
};

}  // namespace

void structure_branches(SourceGraph& graph) { Branches(graph).run(); }

}  // namespace lapis::tensorflow_frontend
