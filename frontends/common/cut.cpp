#include "frontends/common/cut.h"

#include <algorithm>

#include "base/suggest.h"

namespace lapis::frontend {
namespace {

Result<Value*> value_called(const Graph& graph, const std::string& name) {
  if (Value* value = graph.find_value(name)) return value;
  std::vector<std::string> known;
  for (const Value* v : graph.inputs()) known.push_back(v->name());
  for (const Node* node : graph.nodes())
    for (const Value* v : node->outputs())
      if (v) known.push_back(v->name());
  const std::string near = nearest(name, known);
  return error(ErrorKind::Usage, "the model has no value '" + name + "'")
      .help(near.empty() ? "`lapis inspect --text` shows them" : "did you mean '" + near + "'?");
}

Status begin_at(Graph& graph, const std::string& name) {
  LAPIS_TRY(Value * value, value_called(graph, name));
  if (value->is_input()) return ok();
  if (value->is_constant()) return error(ErrorKind::Usage, "'" + name + "' is a constant of the model");
  const Type type = value->type();
  graph.rename(value, name + "_before");
  graph.replace_all_uses(value, graph.add_input(name, type));
  return ok();
}

void erase_unused(Graph& graph) {
  std::vector<Node*> nodes;
  for (Node* node : graph.nodes()) nodes.push_back(node);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
    if (std::ranges::all_of((*node)->outputs(), [](const Value* v) { return !v || v->unused(); })) graph.erase(*node);
  graph.erase_unused_constants();
}

Status keep_inputs(Graph& graph, const std::vector<std::string>& wanted) {
  for (Value* input : std::vector<Value*>(graph.inputs())) {
    const bool listed = wanted.empty() || std::ranges::find(wanted, input->name()) != wanted.end();
    if (listed && !wanted.empty() && input->unused())
      return error(ErrorKind::Usage, "the outputs do not depend on input '" + input->name() + "'")
          .help("leave it out of --inputs");
    if (input->unused())
      graph.remove_input(input);
    else if (!listed)
      return error(ErrorKind::Usage, "the outputs depend on input '" + input->name() + "' too")
          .help("name it in --inputs, or other --outputs");
  }
  return ok();
}

}  // namespace

Status cut(Graph& graph, const ImportOptions& options) {
  if (!options.signature.empty())
    return error(ErrorKind::Usage, "the model has no signatures").help("leave --signature out");
  if (options.inputs.empty() && options.outputs.empty()) return ok();
  std::vector<Value*> outputs;
  for (const std::string& name : options.outputs) {
    LAPIS_TRY(outputs.emplace_back(), value_called(graph, name));
    if (!outputs.back()->producer()) return error(ErrorKind::Usage, "output '" + name + "' is computed by no node");
  }
  if (!outputs.empty()) graph.set_outputs(std::move(outputs));
  for (const std::string& name : options.inputs) LAPIS_CHECK(begin_at(graph, name));
  erase_unused(graph);
  return keep_inputs(graph, options.inputs);
}

}  // namespace lapis::frontend
