#include "frontends/common/bodies.h"

#include <memory>
#include <utility>

namespace lapis::frontend {
namespace {

// An input of the graph that is put together.
const std::string& add_input(SourceGraph& graph, std::string name, Type type) {
  SourceValue value;
  value.type = std::move(type);
  value.given = true;
  graph.values.emplace(name, std::move(value));
  graph.inputs.push_back(std::move(name));
  return graph.inputs.back();
}

// Results that are an input, a constant, or one value twice have names of their own.
void add_output(SourceGraph& graph, const std::string& value, std::string name, const SourceNode& same) {
  SourceNode node = same;
  node.name = name;
  node.inputs = {value};
  node.outputs = {name};
  graph.values.emplace(name, SourceValue());
  graph.outputs.push_back(std::move(name));
  graph.nodes.push_back(std::move(node));
}

std::string renamed(const std::string& name, const std::string& prefix,
                    const std::unordered_map<std::string, std::string>& given) {
  if (name.empty()) return name;
  const auto it = given.find(name);
  return it == given.end() ? prefix + name : it->second;
}

}  // namespace

std::vector<std::string> append_graph(SourceGraph& to, const SourceGraph& from, const std::string& prefix,
                                      const std::vector<std::string>& arguments) {
  std::unordered_map<std::string, std::string> given;
  for (size_t i = 0; i < from.inputs.size(); ++i) given.emplace(from.inputs[i], arguments[i]);
  for (const auto& [name, value] : from.values)
    if (!given.contains(name)) to.values.emplace(prefix + name, value);
  for (const SourceNode& node : from.nodes) {
    SourceNode copy = node;
    copy.name = prefix + node.name;
    for (std::string& name : copy.inputs) name = renamed(name, prefix, given);
    for (std::string& name : copy.outputs) name = renamed(name, prefix, given);
    for (auto& body : copy.bodies) body = std::make_shared<const SourceGraph>(with_prefix(*body, prefix));
    to.nodes.push_back(std::move(copy));
  }
  std::vector<std::string> outputs;
  for (const std::string& name : from.outputs) outputs.push_back(renamed(name, prefix, given));
  return outputs;
}

SourceGraph with_prefix(const SourceGraph& from, const std::string& prefix) {
  SourceGraph graph;
  graph.name = from.name;
  graph.file_bytes = from.file_bytes;
  for (const std::string& input : from.inputs) {
    graph.inputs.push_back(prefix + input);
    graph.values.emplace(graph.inputs.back(), from.values.at(input));
  }
  graph.outputs = append_graph(graph, from, prefix, graph.inputs);
  return graph;
}

SourceGraph own_body(const SourceGraph& from, const std::string& prefix, const SourceNode& same) {
  SourceGraph graph = with_prefix(from, prefix);
  const std::vector<std::string> results = std::exchange(graph.outputs, {});
  for (size_t i = 0; i < results.size(); ++i)
    add_output(graph, results[i], prefix + "result_" + std::to_string(i), same);
  return graph;
}

SourceGraph loop_body(const SourceGraph& step, const SourceGraph& condition, const std::string& prefix,
                      const SourceNode& same, std::vector<int64_t>& unchanged) {
  SourceGraph graph;
  graph.file_bytes = step.file_bytes;
  add_input(graph, prefix + "iteration", Type::tensor(DType::Int64, Dims()));
  add_input(graph, prefix + "condition", Type::tensor(DType::Bool, Dims()));
  std::vector<std::string> states;
  for (size_t i = 0; i < step.inputs.size(); ++i)
    states.push_back(add_input(graph, prefix + "state_" + std::to_string(i), Type()));
  std::vector<std::string> next = append_graph(graph, step, prefix, states);
  next.insert(next.end(), states.begin() + static_cast<ptrdiff_t>(next.size()), states.end());
  const std::vector<std::string> again = append_graph(graph, condition, prefix + "again/", next);
  add_output(graph, again[0], prefix + "goes_on", same);
  for (size_t i = 0; i < states.size(); ++i) {
    if (next[i] == states[i]) unchanged.push_back(static_cast<int64_t>(i));
    add_output(graph, next[i], prefix + "next_" + std::to_string(i), same);
  }
  return graph;
}

}  // namespace lapis::frontend
