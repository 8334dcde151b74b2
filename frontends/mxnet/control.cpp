#include "frontends/mxnet/control.h"

#include <algorithm>
#include <numeric>

#include "frontends/common/bodies.h"
#include "frontends/common/control.h"
#include "frontends/common/formula.h"
#include "frontends/mxnet/translators.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;
using Names = std::vector<std::string>;
using Places = std::vector<int64_t>;

constexpr const char* kMostIterations = "max_iterations";

SourceNode same_node() {
  SourceNode same;
  same.op = "_copy";
  return same;
}

Diagnostic wrong(const SourceNode& node) {
  return error(ErrorKind::Input, "its graphs do not fit its operands and results")
      .at(frontend::location_of(node))
      .help("copy or save the model again");
}

template <class T> T attribute(const SourceNode& node, std::string_view name, T fallback) {
  return frontend::attribute(node.attributes, name, std::move(fallback));
}

Places places(const SourceNode& node, std::string_view name) { return attribute<Places>(node, name, {}); }

// Those of the names that stand at the places; nothing where one is none.
std::optional<Names> at(const Names& names, const Places& places) {
  Names found;
  for (const int64_t place : places) {
    if (place < 0 || static_cast<size_t>(place) >= names.size()) return std::nullopt;
    found.push_back(names[static_cast<size_t>(place)]);
  }
  return found;
}

const std::string& add_input(SourceGraph& graph, std::string name, Type type = {}) {
  SourceValue value;
  value.type = std::move(type);
  value.given = true;
  graph.values.emplace(name, std::move(value));
  return graph.inputs.emplace_back(std::move(name));
}

Names add_operands(SourceGraph& graph, size_t count) {
  Names names;
  for (size_t i = 0; i < count; ++i) names.push_back(add_input(graph, "operand_" + std::to_string(i)));
  return names;
}

// What is not 0 is true.
std::string add_truth(SourceGraph& graph, const std::string& number, const std::string& name) {
  SourceNode node;
  node.op = "Cast";
  node.name = name;
  node.attributes["dtype"] = std::string("bool");
  node.inputs = {number};
  node.outputs = {name};
  graph.values.emplace(name, SourceValue());
  graph.nodes.push_back(std::move(node));
  return name;
}

std::shared_ptr<const SourceGraph> own(const SourceGraph& graph, const std::string& prefix) {
  return std::make_shared<const SourceGraph>(frontend::own_body(graph, prefix, same_node()));
}

// ---- _cond ----------------------------------------------------------------------------------------------------------

// A branch that takes all operands.
std::shared_ptr<const SourceGraph> branch_of(const SourceNode& node, const SourceGraph& part, const Places& places,
                                             const std::string& prefix) {
  SourceGraph graph;
  const auto arguments = at(add_operands(graph, node.inputs.size()), places);
  if (!arguments || arguments->size() != part.inputs.size() || part.outputs.size() != node.outputs.size())
    return nullptr;
  graph.outputs = frontend::append_graph(graph, part, "", *arguments);
  return own(graph, prefix);
}

Status add_branch(SourceNode node, const std::vector<SourceGraph>& parts, SourceGraph& graph) {
  const auto asked = at(node.inputs, places(node, "cond_input_locs"));
  if (parts.size() != 3 || !asked || asked->size() != parts[0].inputs.size() || parts[0].outputs.size() != 1)
    return wrong(node);
  node.bodies = {branch_of(node, parts[1], places(node, "then_input_locs"), node.name + "/then/"),
                 branch_of(node, parts[2], places(node, "else_input_locs"), node.name + "/else/")};
  if (!node.bodies[0] || !node.bodies[1]) return wrong(node);
  const Names number = frontend::append_graph(graph, parts[0], node.name + "/condition/", *asked);
  node.inputs.insert(node.inputs.begin(), add_truth(graph, number[0], node.name + "/truth"));
  graph.nodes.push_back(std::move(node));
  return ok();
}

// ---- _foreach -------------------------------------------------------------------------------------------------------

// Results in front of states, in the symbol, are states in front of results here.
void states_first(Names& names, size_t results) {
  std::rotate(names.begin(), names.begin() + static_cast<ptrdiff_t>(results), names.end());
}

// Operands of the symbol are slices, states and what stays; those of its graph are in any order.
Status add_scan(SourceNode node, const std::vector<SourceGraph>& parts, SourceGraph& graph) {
  const Places data = places(node, "in_data_locs"), states = places(node, "in_state_locs"),
               rest = places(node, "remain_locs");
  const auto results = static_cast<size_t>(attribute<int64_t>(node, "num_out_data", 0));
  const bool fits = parts.size() == 1 && data.size() + states.size() + rest.size() == node.inputs.size() &&
                    parts[0].inputs.size() == node.inputs.size() && parts[0].outputs.size() == node.outputs.size() &&
                    !data.empty() && results + states.size() == node.outputs.size();
  if (!fits) return wrong(node);
  const auto first_state = node.inputs.begin() + static_cast<ptrdiff_t>(data.size());
  std::rotate(node.inputs.begin(), first_state, first_state + static_cast<ptrdiff_t>(states.size()));
  Places order = states;
  order.insert(order.end(), data.begin(), data.end());
  order.insert(order.end(), rest.begin(), rest.end());
  SourceGraph step;
  const Names operands = add_operands(step, order.size());
  Names arguments(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] < 0 || static_cast<size_t>(order[i]) >= arguments.size()) return wrong(node);
    arguments[static_cast<size_t>(order[i])] = operands[i];
  }
  if (std::find(arguments.begin(), arguments.end(), "") != arguments.end()) return wrong(node);
  step.outputs = frontend::append_graph(step, parts[0], "", arguments);
  states_first(step.outputs, results);
  states_first(node.outputs, results);
  node.bodies = {own(step, node.name + "/body/")};
  node.attributes[frontend::kStates] = static_cast<int64_t>(states.size());
  node.attributes[frontend::kSequences] = static_cast<int64_t>(data.size());
  graph.nodes.push_back(std::move(node));
  return ok();
}

// ---- _while_loop ----------------------------------------------------------------------------------------------------

struct While {
  Places asked, taken;         // operands of the condition and of the step
  std::vector<size_t> states;  // operands that change
  size_t results;
};

std::optional<While> while_of(const SourceNode& node, const std::vector<SourceGraph>& parts) {
  While w{places(node, "cond_input_locs"), places(node, "func_input_locs"), {}, 0};
  w.results = static_cast<size_t>(attribute<int64_t>(node, "num_out_data", 0));
  for (const int64_t place : places(node, "func_var_locs")) {
    if (place < 0 || static_cast<size_t>(place) >= w.taken.size()) return std::nullopt;
    w.states.push_back(static_cast<size_t>(w.taken[static_cast<size_t>(place)]));
    if (w.states.back() >= node.inputs.size()) return std::nullopt;
  }
  const bool fits = parts.size() == 2 && parts[0].inputs.size() == w.asked.size() && parts[0].outputs.size() == 1 &&
                    parts[1].inputs.size() == w.taken.size() && parts[1].outputs.size() == node.outputs.size() &&
                    w.results + w.states.size() == node.outputs.size();
  return fits ? std::optional(w) : std::nullopt;
}

// (iteration, condition, states..., what stays...) -> (condition, states..., results...)
std::optional<SourceGraph> step_of(const While& w, const std::vector<SourceGraph>& parts, size_t count) {
  SourceGraph step;
  add_input(step, "iteration", Type::tensor(DType::Int64, Dims()));
  add_input(step, "condition", Type::tensor(DType::Bool, Dims()));
  Names operands(count), next;
  for (const size_t state : w.states) operands[state] = add_input(step, "state_" + std::to_string(state));
  for (size_t i = 0; i < count; ++i)
    if (operands[i].empty()) operands[i] = add_input(step, "operand_" + std::to_string(i));
  const auto taken = at(operands, w.taken);
  if (!taken) return std::nullopt;
  next = frontend::append_graph(step, parts[1], "step/", *taken);
  states_first(next, w.results);
  for (size_t i = 0; i < w.states.size(); ++i) operands[w.states[i]] = next[i];
  const auto asked = at(operands, w.asked);
  if (!asked) return std::nullopt;
  const Names again = frontend::append_graph(step, parts[0], "again/", *asked);
  step.outputs = {add_truth(step, again[0], "goes_on")};
  step.outputs.insert(step.outputs.end(), next.begin(), next.end());
  return step;
}

Status add_loop(SourceNode node, const std::vector<SourceGraph>& parts, SourceGraph& graph) {
  const auto w = while_of(node, parts);
  const auto step = w ? step_of(*w, parts, node.inputs.size()) : std::nullopt;
  const auto asked = at(node.inputs, w ? w->asked : Places());
  if (!step || !asked) return wrong(node);
  const Names number = frontend::append_graph(graph, parts[0], node.name + "/first/", *asked);
  Names inputs = {add_truth(graph, number[0], node.name + "/truth")};
  for (const size_t state : w->states) inputs.push_back(std::exchange(node.inputs[state], ""));
  for (const std::string& input : node.inputs)
    if (!input.empty()) inputs.push_back(input);
  node.inputs = std::move(inputs);
  states_first(node.outputs, w->results);
  node.bodies = {own(*step, node.name + "/body/")};
  node.attributes[frontend::kStates] = static_cast<int64_t>(w->states.size());
  graph.nodes.push_back(std::move(node));
  return ok();
}

struct Row {
  std::string_view op;
  Status (*add)(SourceNode, const std::vector<SourceGraph>&, SourceGraph&);
};
constexpr Row kRows[] = {{"_cond", add_branch}, {"_foreach", add_scan}, {"_while_loop", add_loop}};

// ---- the loop -------------------------------------------------------------------------------------------------------

// What the body knows: what changes has the type that it starts with.
Result<std::vector<Value*>> loop_operands(Translation& t, size_t states, std::vector<SourceValue>& known) {
  std::vector<Value*> operands;
  known.resize(2);  // iteration and condition
  for (size_t i = 1; i < t.input_count(); ++i) {
    LAPIS_TRY(operands.emplace_back(), t.stored(i, Layout::AsWritten));
    SourceValue& value = known.emplace_back();
    value.type = operands.back()->type();
    if (i > states) value.constant = t.input(i).constant;
  }
  return operands;
}

// The condition as one truth value, what does not change from the graph around.
Status finish_body(Translation& t, Graph& body, const std::vector<Value*>& operands, size_t states,
                   const std::vector<SourceValue>& known) {
  const std::vector<Value*> inputs = body.inputs();
  size_t next = 2 + states;
  for (size_t i = states; i < operands.size(); ++i) {
    if (known[i + 2].constant.defined()) continue;
    body.replace_all_uses(inputs[next], operands[i]);
    body.remove_input(inputs[next++]);
  }
  frontend::Formula within(t, body);
  std::vector<Value*> outputs = body.outputs();
  outputs[0] = within.reshape(outputs[0], {});
  LAPIS_CHECK(within.status());
  body.set_outputs(std::move(outputs));
  return ok();
}

// Results have as many rows as iterations can be, so that their shape is known: they are states too, of which each
// iteration sets its row. MXNet says nothing about rows that none has set, here they are 0.
Result<std::vector<Value*>> rows_as_states(Translation& t, Graph& body, const std::vector<Value*>& operands,
                                           size_t states, int64_t most) {
  frontend::Formula within(t, body);
  std::vector<Value*> outputs = body.outputs(), first;
  Value* place = within.reshape(body.inputs()[0], {1, 1});
  for (size_t i = states + 1; i < outputs.size(); ++i) {
    Type type = outputs[i]->type();
    if (!type.ranked()) return Translation::unsupported("results of unknown rank");
    type.dims->insert(type.dims->begin(), Dim(most));
    LAPIS_TRY(first.emplace_back(), frontend::zeros(t, type, operands));
    Value* rows = body.add_input(t.node().name + "/rows_" + std::to_string(i), type);
    outputs[i] = within.op(ops::ScatterND, {rows, place, within.unsqueeze(outputs[i], {0})});
  }
  LAPIS_CHECK(within.status());
  body.set_outputs(std::move(outputs));
  return first;
}

}  // namespace

bool is_control_flow(std::string_view op) {
  return std::any_of(std::begin(kRows), std::end(kRows), [&](const Row& row) { return row.op == op; });
}

Status add_control_flow(SourceNode node, const std::vector<SourceGraph>& parts, SourceGraph& graph) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.op == node.op; });
  return row->add(std::move(node), parts, graph);
}

// (condition, states..., what stays...) to (states..., results...)
Status while_loop(Translation& t) {
  const auto states = static_cast<size_t>(t.get<int64_t>(frontend::kStates, 0));
  const int64_t most = t.get<int64_t>(kMostIterations, 0);
  if (most < 1) return error(ErrorKind::Input, "has no most number of iterations");
  if (states == 0) return Translation::unsupported("a loop without variables");
  LAPIS_TRY(Value * condition, t.stored(0, Layout::AsWritten));
  LAPIS_TRY(condition, frontend::reshape(t, condition, {}));
  std::vector<SourceValue> known;
  LAPIS_TRY(const std::vector<Value*> operands, loop_operands(t, states, known));
  ops::LoopAttrs attributes;
  LAPIS_TRY(attributes.body, t.body(0, known));
  LAPIS_CHECK(finish_body(t, *attributes.body, operands, states, known));
  LAPIS_TRY(const auto rows, rows_as_states(t, *attributes.body, operands, states, most));
  std::vector<Value*> inputs = {frontend::scalar(t, static_cast<double>(most), DType::Int64), condition};
  inputs.insert(inputs.end(), operands.begin(), operands.begin() + static_cast<ptrdiff_t>(states));
  inputs.insert(inputs.end(), rows.begin(), rows.end());
  LAPIS_TRY(const auto results,
            t.add_all(ops::Loop, std::move(inputs), encode_attributes(attributes), t.output_count()));
  for (size_t i = 0; i < results.size(); ++i) LAPIS_CHECK(frontend::result(t, i, results[i]));
  return ok();
}

}  // namespace lapis::mxnet_frontend
