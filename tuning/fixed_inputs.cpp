#include "tuning/fixed_inputs.h"

#include <algorithm>
#include <unordered_set>

#include "base/suggest.h"
#include "driver/compile.h"
#include "ir/ops/ops.h"

namespace lapis {
namespace {

// The inputs of the model that a value of it is computed from, in their order.
std::vector<const Value*> inputs_behind(const Value* value) {
  std::unordered_set<const Value*> seen;
  std::vector<const Value*> left = {value}, inputs;
  while (!left.empty()) {
    const Value* v = left.back();
    left.pop_back();
    if (!v || !seen.insert(v).second || !v->producer()) continue;
    for (const Value* operand : v->producer()->inputs()) left.push_back(operand);
  }
  for (const Value* input : value->graph().inputs())
    if (seen.contains(input)) inputs.push_back(input);
  return inputs;
}

struct Decision {
  const Node* node;  // an If
  std::vector<const Value*> inputs;
};

std::vector<Decision> decisions_of(const Graph& graph) {
  std::vector<Decision> decisions;
  for (const Node* node : graph.nodes())
    if (node->is(ops::If)) decisions.push_back({node, inputs_behind(node->input(0))});
  return decisions;
}

int64_t contractions_in(const Node& node) {
  int64_t count = node.op().has(Trait::Contraction) ? 1 : 0;
  for (const Graph* body : node.subgraphs())
    for (const Node* inner : body->nodes()) count += contractions_in(*inner);
  return count;
}

bool is_one_number(const Value* input) {
  return input->type().is_static() && element_count(input->type().shape()) == 1;
}

}  // namespace

Result<std::vector<std::string>> fix_deciding_inputs(Graph& graph, const Dataset& data) {
  const std::map<std::string, Number> numbers = data.fixed_numbers();
  ModelOptions options;
  options.all_free = true;
  std::vector<std::string> notes;
  for (const auto& [node, inputs] : decisions_of(graph)) {
    const bool known = std::all_of(inputs.begin(), inputs.end(), [&](const Value* v) {
      return numbers.contains(v->name()) && is_one_number(v) && !v->is_graph_output();
    });
    for (const Value* input : inputs)
      if (known && options.values.emplace(input->name(), numbers.at(input->name())).second)
        notes.push_back("input '" + input->name() + "' is " + numbers.at(input->name()).to_string() +
                        " in every sample and decides the If '" + node->name() +
                        "': the model is made for that and has no such input, as with --value");
  }
  if (!options.values.empty()) LAPIS_CHECK(bind_model(graph, options));
  return notes;
}

std::set<std::string> surplus_inputs(const Dataset& data, const std::vector<std::string>& inputs) {
  std::set<std::string> surplus;
  for (const auto& [name, number] : data.fixed_numbers())
    if (std::find(inputs.begin(), inputs.end(), name) == inputs.end()) surplus.insert(name);
  return surplus;
}

Dataset fitted(const Dataset& data, const Graph& graph) {
  std::vector<std::string> inputs;
  for (const Value* input : graph.inputs()) inputs.push_back(input->name());
  return data.without(surplus_inputs(data, inputs));
}

std::string undecided_branches(const Graph& graph, const std::string& how_to_give_numbers) {
  for (const auto& [node, inputs] : decisions_of(graph)) {
    if (contractions_in(*node) == 0) continue;
    std::vector<std::string> names;
    for (const Value* input : inputs)
      if (is_one_number(input)) names.push_back("'" + input->name() + "'");
    std::string text = std::to_string(contractions_in(*node)) + " of its products stand in branches of the If '" +
                       node->name() + "', which are not quantized";
    if (names.size() < inputs.size() || names.empty()) return text += ": its condition depends on the data";
    text.append(": ").append(joined(names, " and ")).append(names.size() == 1 ? " decides; " : " decide; ");
    return text += how_to_give_numbers;
  }
  return "";
}

}  // namespace lapis
