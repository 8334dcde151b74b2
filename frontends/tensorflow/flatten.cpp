#include "frontends/tensorflow/flatten.h"

#include <algorithm>

#include "frontends/common/control.h"
#include "frontends/tensorflow/branches.h"
#include "frontends/tensorflow/flattener.h"
#include "frontends/tensorflow/import.h"

namespace lapis::tensorflow_frontend {

using frontend::SourceGraph;
using frontend::SourceNode;

Diagnostic unsupported(std::string message) { return error(ErrorKind::Unsupported, std::move(message)); }
Diagnostic damaged(std::string message) {
  return error(ErrorKind::Input, std::move(message)).help("the model is incomplete: export it again");
}

namespace {

const std::vector<NodeDef> kNoNodes;
const Part kNothing;

size_t node_count(const Model& model) {
  size_t count = model.graph.nodes.size();
  for (const auto& [name, function] : model.graph.functions) count += function.nodes.size();
  return count;
}

std::vector<std::string> refs_of(const std::vector<Port>& ports) {
  std::vector<std::string> refs;
  refs.reserve(ports.size());
  for (const Port& port : ports) refs.push_back(port.ref);
  return refs;
}

// Of the edges that only order, those count that say in which branch of a Switch a node lies:
// a random number has no other operand.
bool is_read(const Body& body, const std::string& input) {
  if (!is_control(input)) return true;
  const auto found = body.index.find(ref_of(operand(input)).node);
  if (found == body.index.end()) return false;
  const NodeDef* node = &body.nodes[found->second];
  if (node->op == "Identity" && !node->inputs.empty() && !is_control(node->inputs[0])) {
    const auto before = body.index.find(ref_of(node->inputs[0]).node);
    if (before != body.index.end()) node = &body.nodes[before->second];
  }
  return node->op == "Switch" || node->op == "RefSwitch";
}

bool has_constant_default(const Body& body, const NodeDef& node) {
  constexpr int kMostSteps = 8;
  const NodeDef* at = &node;
  for (int i = 0; i < kMostSteps && !at->inputs.empty(); ++i) {
    const auto found = body.index.find(ref_of(at->inputs[0]).node);
    if (found == body.index.end()) return false;
    at = &body.nodes[found->second];
    if (at->op != "Identity") return at->op == "Const";
  }
  return false;
}

// A placeholder is an input, unless its default is a constant; then it is that.
bool reads_operands(const Body& body, const NodeDef& node) {
  return node.op == "PlaceholderWithDefault" ? has_constant_default(body, node) : node.op != "IteratorGetNext";
}

}  // namespace

Body::Body(const std::vector<NodeDef>& all, std::string before, int level)
    : nodes(all), prefix(std::move(before)), depth(level), states(all.size()) {
  for (size_t i = 0; i < all.size(); ++i) index.emplace(all[i].name, i);
}

Flattener::Flattener(const Model& model, const Part& part, frontend::Expansion& expansion)
    : model_(model), part_(part), top_(model.graph.nodes, "", 0), expansion_(expansion) {}

Flattener::Flattener(const Flattener& around, std::string prefix, int depth)
    : model_(around.model_), part_(kNothing), top_(kNoNodes, std::move(prefix), depth), expansion_(around.expansion_) {
  source_.file_bytes = model_.bytes;
}

std::vector<frontend::Resolved> Flattener::resolved() {
  std::vector<frontend::Resolved> all;
  for (const Row& row : rows()) all.push_back({row.op, row.meaning});
  return all;
}

Result<SourceGraph> Flattener::run() {
  source_.file_bytes = model_.bytes;
  LAPIS_CHECK(add_cuts());
  std::vector<Port> outputs = part_.outputs;
  if (outputs.empty()) outputs = last_values();
  LAPIS_CHECK(visit_all(top_, refs_of(outputs)));
  for (const Port& output : outputs) {
    LAPIS_TRY(const Resolved value, resolve(top_, output.ref));
    if (value)
      add_output(output, *value);
    else if (!part_.outputs.empty())
      return unsupported("output '" + output.name + "' lies in a branch that is not taken");
  }
  std::sort(found_inputs_.begin(), found_inputs_.end());
  for (auto& [position, name] : found_inputs_) source_.inputs.push_back(name);
  LAPIS_CHECK(check_cuts());
  structure_branches(source_);
  return std::move(source_);
}

std::string Flattener::free_name(std::string name) const {
  while (source_.values.contains(name)) name += "_";
  return name;
}

Status Flattener::visit_all(Body& body, const std::vector<std::string>& refs) {
  std::vector<std::pair<size_t, size_t>> open;  // node, and which of its inputs is next
  for (const std::string& ref : refs) {
    LAPIS_CHECK(enter(body, ref, open));
    while (!open.empty()) {
      const auto [i, next] = open.back();
      const NodeDef& node = body.nodes[i];
      if (next < node.inputs.size() && reads_operands(body, node)) {
        ++open.back().second;
        if (is_read(body, node.inputs[next])) LAPIS_CHECK(enter(body, operand(node.inputs[next]), open));
        continue;
      }
      open.pop_back();
      LAPIS_CHECK(visit(body, i));
      body.states[i].mark = State::Mark::Done;
    }
  }
  return ok();
}

Status Flattener::enter(Body& body, std::string_view input, std::vector<std::pair<size_t, size_t>>& open) {
  const Ref ref = ref_of(input);
  if (body.arguments.contains(ref.node) || is_cut(body, ref)) return ok();
  const auto found = body.index.find(ref.node);
  if (found == body.index.end())
    return open.empty() ? Status(nothing_called(input))
                        : damaged("reads '" + std::string(input) + "', which nothing in the model defines")
                              .at(location(body, body.nodes[open.back().first]));
  State& state = body.states[found->second];
  if (state.mark == State::Mark::Open)
    return damaged("nodes depend on each other in a circle that is no loop")
        .at(location(body, body.nodes[found->second]));
  if (state.mark == State::Mark::New) {
    state.mark = State::Mark::Open;
    open.emplace_back(found->second, 0);
  }
  return ok();
}

std::string Flattener::location(const Body& body, const NodeDef& node) {
  return "node '" + body.prefix + node.name + "' (" + node.op + ")";
}

Result<Resolved> Flattener::resolve(Body& body, std::string_view input) {
  const Ref ref = ref_of(input);
  if (const auto it = body.arguments.find(ref.node); it != body.arguments.end()) return it->second;
  if (is_cut(body, ref)) {
    const std::string& name = cuts_.at(key_of(ref));
    read_cuts_.insert(name);
    return Resolved(name);
  }
  const auto found = body.index.find(ref.node);
  if (found == body.index.end()) return nothing_called(input);
  const NodeDef& node = body.nodes[found->second];
  return output_of(body, node, body.states[found->second],
                   ref.index + (ref.argument.empty() ? 0 : first_output(node.op, ref.argument)));
}

Result<Resolved> Flattener::output_of(const Body& body, const NodeDef& node, State& state, size_t index) {
  if (index < state.outputs.size()) return state.outputs[index];
  if (!state.source || index >= kMostOutputs)
    return damaged("has no output " + std::to_string(index)).at(location(body, node));
  std::vector<std::string>& outputs = source_.nodes[*state.source].outputs;
  while (outputs.size() <= index) {
    if (!expansion_.add_bytes(body.prefix.size() + node.name.size())) return expansion_.explosion("names");
    const std::string name = free_name(name_of_output(body.prefix + node.name, outputs.size()));
    source_.values.emplace(name, SourceValue{});
    outputs.push_back(name);
    state.outputs.emplace_back(name);
  }
  return state.outputs[index];
}

Status Flattener::visit(Body& body, size_t i) {
  const NodeDef& node = body.nodes[i];
  std::vector<Resolved> inputs;
  if (reads_operands(body, node))
    for (const std::string& input : node.inputs) {
      if (!is_read(body, input)) continue;
      LAPIS_TRY(const Resolved value, resolve(body, operand(input)));
      if (!is_control(input) || !value) inputs.push_back(value);
    }
  State& state = body.states[i];
  const bool is_merge = node.op == "Merge" || node.op == "RefMerge";
  if (!is_merge && std::ranges::any_of(inputs, [](const Resolved& r) { return !r; })) {
    state.outputs.assign(kMostDeadOutputs, std::nullopt);
    return ok();
  }
  Status done = (this->*handler_of(node))(body, {node, inputs}, state);
  if (done.ok()) return ok();
  Diagnostics found = std::move(done).diagnostics();
  for (Diagnostic& d : found)
    if (d.location.empty()) d.at(location(body, node));
  return found;
}

std::span<const Flattener::Row> Flattener::rows() {
  static constexpr Row kRows[] = {
      {"Assert", &Flattener::nothing, "nothing: it checks while the model runs"},
      {"BatchFunction", &Flattener::call, "the function that it calls"},
      {"Case", &Flattener::choice, "the branch that is taken, where the index is known, or branches in branches"},
      {"CheckNumerics", &Flattener::alias, "its operand"},
      {"Const", &Flattener::constant, "a constant"},
      {"EnsureShape", &Flattener::alias, "its operand"},
      {"Identity", &Flattener::alias, "its operand"},
      {"IdentityN", &Flattener::aliases, "its operands"},
      {"If", &Flattener::branch, "the branch that is taken, where the condition is known"},
      {"IteratorGetNext", &Flattener::input, "inputs of the model"},
      {"Merge", &Flattener::merge, "the operand that lives"},
      {"NoOp", &Flattener::nothing, "nothing"},
      {"PartitionedCall", &Flattener::call, "the function that it calls"},
      {"Placeholder", &Flattener::input, "an input of the model"},
      {"PlaceholderV2", &Flattener::input, "an input of the model"},
      {"PlaceholderWithDefault", &Flattener::placeholder_with_default,
       "its default, where that is a constant, or an input"},
      {"PlaceholderWithDefaultV2", &Flattener::placeholder_with_default,
       "its default, where that is a constant, or an input"},
      {"PreventGradient", &Flattener::alias, "its operand"},
      {"ReadVariableOp", &Flattener::alias, "the value of the variable"},
      {"RefMerge", &Flattener::merge, "the operand that lives"},
      {"RefSwitch", &Flattener::switched, "the branch that is taken, where the condition is known"},
      {"Snapshot", &Flattener::alias, "its operand"},
      {"StatefulPartitionedCall", &Flattener::call, "the function that it calls"},
      {"StatelessCase", &Flattener::choice,
       "the branch that is taken, where the index is known, or branches in branches"},
      {"StatelessIf", &Flattener::branch, "the branch that is taken, where the condition is known"},
      {"StopGradient", &Flattener::alias, "its operand"},
      {"StatelessWhile", &Flattener::loop, "a loop"},
      {"Switch", &Flattener::switched, "the branch that is taken, where the condition is known"},
      {"TensorArrayCloseV3", &Flattener::nothing, "nothing: it frees memory"},
      {"VarHandleOp", &Flattener::variable, "the value of the variable"},
      {"Variable", &Flattener::variable, "the value of the variable"},
      {"VariableV2", &Flattener::variable, "the value of the variable"},
      {"While", &Flattener::loop, "a loop"},
  };
  return kRows;
}

Flattener::Handler Flattener::handler_of(const NodeDef& node) const {
  static const std::unordered_map<std::string_view, Handler> kHandlers = [] {
    std::unordered_map<std::string_view, Handler> handlers;
    for (const Row& row : rows()) handlers.emplace(row.op, row.handler);
    return handlers;
  }();
  if (const auto it = kHandlers.find(node.op); it != kHandlers.end()) return it->second;
  return model_.graph.functions.contains(node.op) ? &Flattener::call : &Flattener::operation;
}

Status Flattener::needs(const Operation& o, size_t inputs) {
  if (o.inputs.size() >= inputs) return ok();
  return damaged("has " + std::to_string(o.inputs.size()) + " operands, not " + std::to_string(inputs));
}

Status Flattener::alias(Body&, const Operation& o, State& state) {
  LAPIS_CHECK(needs(o, 1));
  state.outputs = {o.inputs[0]};
  return ok();
}

Status Flattener::aliases(Body&, const Operation& o, State& state) {
  state.outputs = o.inputs;
  return ok();
}

Status Flattener::operation(Body& body, const Operation& o, State& state) {
  size_t bytes = body.prefix.size() + o.node.name.size();
  for (const Resolved& input : o.inputs) bytes += input->size();
  if (!expansion_.add_node() || !expansion_.add_bytes(bytes)) return expansion_.explosion("names");
  return add_node(body, o, state, named(body, o));
}

SourceNode Flattener::named(const Body& body, const Operation& o) const {
  SourceNode result;
  result.op = o.node.op;
  result.name = body.prefix + o.node.name;
  result.attributes = o.node.attributes;
  for (const Resolved& input : o.inputs) result.inputs.push_back(*input);
  if (model_.written_at) result.written_at = model_.written_at(o.node.name, body.function);
  return result;
}

Status Flattener::add_node(const Body& body, const Operation& o, State& state, SourceNode node, size_t outputs) {
  state.source = source_.nodes.size();
  source_.nodes.push_back(std::move(node));
  return output_of(body, o.node, state, outputs - 1).ok() ? ok() : Status(expansion_.explosion("names"));
}

Status Flattener::constant(Body& body, const Operation& o, State& state) {
  SourceValue value;
  Result<Tensor> tensor = parse_tensor(o.node.tensor, model_.owner, expansion_);
  if (!tensor.ok()) {
    Diagnostics found = std::move(tensor).diagnostics();
    if (found[0].kind != ErrorKind::Unsupported) return found;
    value.unsupported = found[0].message;
  } else {
    value.constant = *std::move(tensor);
    value.type = Type::of(value.constant);
  }
  return given(body, o, state, std::move(value));
}

Status Flattener::given(Body& body, const Operation& o, State& state, SourceValue value) {
  value.given = true;
  const std::string name = free_name(body.prefix + o.node.name);
  if (!expansion_.add_bytes(name.size())) return expansion_.explosion("names");
  source_.values.emplace(name, std::move(value));
  state.outputs = {Resolved(name)};
  return ok();
}

Status Flattener::call(Body& body, const Operation& o, State& state) {
  const auto* function = o.node.attribute<std::string>("f");
  return inlined(body, o, state, function ? *function : o.node.op);
}

Status Flattener::inlined(const Body& body, const Operation& o, State& state, const std::string& function) {
  LAPIS_TRY(state.outputs, called(function, o.inputs, body.prefix + o.node.name + "/", body.depth + 1));
  return ok();
}

Result<std::vector<Resolved>> Flattener::called(const std::string& name, const std::vector<Resolved>& arguments,
                                                std::string prefix, int depth) {
  const auto found = model_.graph.functions.find(name);
  if (found == model_.graph.functions.end())
    return damaged("calls function '" + name + "', which the model does not have");
  if (depth > frontend::kMaxDepth)
    return error(ErrorKind::Input,
                 "functions call each other more than " + std::to_string(frontend::kMaxDepth) + " deep");
  const FunctionDef& function = found->second;
  if (function.inputs.size() != arguments.size())
    return damaged("gives function '" + name + "' " + std::to_string(arguments.size()) + " arguments, which takes " +
                   std::to_string(function.inputs.size()));
  for (size_t i = 0; i < function.nodes.size(); ++i)
    if (!expansion_.add_node()) return expansion_.explosion("calls");
  Body callee(function.nodes, std::move(prefix), depth);
  callee.function = name;
  for (size_t i = 0; i < function.inputs.size(); ++i) callee.arguments.emplace(function.inputs[i], arguments[i]);
  std::vector<std::string> refs;
  for (const std::string& output : function.outputs) {
    const auto value = function.returns.find(output);
    if (value == function.returns.end())
      return damaged("function '" + name + "' does not say what '" + output + "' is");
    refs.push_back(value->second);
  }
  LAPIS_CHECK(visit_all(callee, refs));
  std::vector<Resolved> results;
  for (const std::string& ref : refs) {
    LAPIS_TRY(results.emplace_back(), resolve(callee, ref));
  }
  return results;
}

std::span<const frontend::Resolved> resolved() {
  static const std::vector<frontend::Resolved> all = Flattener::resolved();
  return all;
}

Result<SourceGraph> flatten(const Model& model, const Part& part) {
  frontend::Expansion expansion(node_count(model), model.bytes);
  return Flattener(model, part, expansion).run();
}

}  // namespace lapis::tensorflow_frontend
