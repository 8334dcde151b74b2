#include "frontends/tensorflow/flattener.h"

#include "frontends/common/control.h"
#include "frontends/tensorflow/appends.h"
#include "frontends/tensorflow/branches.h"

namespace lapis::tensorflow_frontend {

using frontend::SourceGraph;

namespace {

Result<std::string> one_condition(const std::vector<Resolved>& results) {
  if (results.size() == 1 && results[0]) return *results[0];
  return damaged("the condition of a loop gives " + std::to_string(results.size()) + " values");
}

// The results of a branch that are variants.
std::vector<int64_t> lists_of(const NodeDef& branch) {
  std::vector<int64_t> lists;
  const auto* types = branch.attribute<std::vector<int64_t>>("Tout");
  for (size_t i = 0; types && i < types->size(); ++i)
    if (dtype_of_number((*types)[i]) == DType::Undefined) lists.push_back(static_cast<int64_t>(i));
  return lists;
}

}  // namespace

std::optional<double> Flattener::number(const Resolved& value) const {
  const Tensor& tensor = source_.values.at(*value).constant;
  return tensor.defined() && tensor.size() == 1 ? std::optional(tensor.as_double(0)) : std::nullopt;
}

Status Flattener::switched(Body& body, const Operation& o, State& state) {
  LAPIS_CHECK(needs(o, 2));
  const auto taken = number(o.inputs[1]);
  if (!taken) return operation(body, o, state);
  state.outputs = {*taken != 0 ? Resolved() : o.inputs[0], *taken != 0 ? o.inputs[0] : Resolved()};
  return ok();
}

Status Flattener::merge(Body& body, const Operation& o, State& state) {
  std::optional<size_t> live;
  for (size_t i = 0; i < o.inputs.size(); ++i) {
    if (!o.inputs[i]) continue;
    if (live) return operation_of_live(body, o, state);
    live = i;
  }
  if (!live) {
    state.outputs.assign(2, std::nullopt);
    return ok();
  }
  SourceValue index;
  index.constant = Tensor::scalar(static_cast<int32_t>(*live));
  index.type = Type::of(index.constant);
  LAPIS_CHECK(given(body, o, state, std::move(index)));
  state.outputs = {o.inputs[*live], state.outputs[0]};
  return ok();
}

Status Flattener::operation_of_live(Body& body, const Operation& o, State& state) {
  std::vector<Resolved> live;
  for (const Resolved& input : o.inputs)
    if (input) live.push_back(input);
  return operation(body, {o.node, live}, state);
}

Status Flattener::branch(Body& body, const Operation& o, State& state) {
  LAPIS_CHECK(needs(o, 1));
  const std::string* functions[] = {o.node.attribute<std::string>("then_branch"),
                                    o.node.attribute<std::string>("else_branch")};
  if (!functions[0] || !functions[1]) return damaged("does not say what its branches are");
  const std::vector<Resolved> arguments(o.inputs.begin() + 1, o.inputs.end());
  if (const auto taken = number(o.inputs[0]))
    return inlined(body, {o.node, arguments}, state, *functions[*taken != 0 ? 0 : 1]);
  SourceNode node = named(body, o);
  node.attributes.insert_or_assign(frontend::kLists, lists_of(o.node));
  size_t outputs = 0;
  for (const size_t side : {0, 1}) {
    LAPIS_TRY(std::shared_ptr<SourceGraph> graph,
              Flattener(*this, node.name + (side == 0 ? "/then/" : "/else/"), body.depth + 1)
                  .as_branch(*functions[side], arguments.size()));
    outputs = graph->outputs.size();
    node.bodies.push_back(std::move(graph));
  }
  if (outputs == 0) return ok();
  return add_node(body, o, state, std::move(node), outputs);
}

Status Flattener::choice(Body& body, const Operation& o, State& state) {
  LAPIS_CHECK(needs(o, 1));
  const std::vector<std::string>& functions = o.node.functions;
  if (functions.empty()) return damaged("does not say what its branches are");
  if (const auto index = number(o.inputs[0])) {
    const bool is_one = *index >= 0 && *index < static_cast<double>(functions.size());
    const std::vector<Resolved> arguments(o.inputs.begin() + 1, o.inputs.end());
    return inlined(body, {o.node, arguments}, state,
                   is_one ? functions[static_cast<size_t>(*index)] : functions.back());
  }
  LAPIS_TRY(state.outputs, chosen(functions, 0, o.inputs, body.prefix + o.node.name + "/", body.depth + 1));
  return ok();
}

Result<std::vector<Resolved>> Flattener::chosen(std::span<const std::string> functions, int32_t first,
                                                const std::vector<Resolved>& index_and_arguments,
                                                const std::string& prefix, int depth) {
  if (functions.size() == 1)
    return called(functions[0], {index_and_arguments.begin() + 1, index_and_arguments.end()}, prefix, depth);
  SourceNode node;
  node.op = "If";
  node.name = prefix + "If";
  node.inputs = {is_number(*index_and_arguments[0], first, prefix)};
  for (const Resolved& value : index_and_arguments) node.inputs.push_back(*value);
  for (const bool is_first : {true, false}) {
    const auto rest = is_first ? functions.first(1) : functions.subspan(1);
    LAPIS_TRY(node.bodies.emplace_back(),
              Flattener(*this, prefix + (is_first ? "" : "not_") + std::to_string(first) + "/", depth + 1)
                  .as_choice(rest, is_first ? first : first + 1, index_and_arguments.size()));
  }
  std::vector<Resolved> results;
  for (size_t i = 0; i < node.bodies[0]->outputs.size(); ++i) {
    node.outputs.push_back(free_name(name_of_output(node.name, i)));
    source_.values.emplace(node.outputs.back(), SourceValue{});
    results.emplace_back(node.outputs.back());
  }
  if (!expansion_.add_node()) return expansion_.explosion("branches");
  if (!results.empty()) source_.nodes.push_back(std::move(node));
  return results;
}

std::string Flattener::is_number(const std::string& value, int32_t number, const std::string& prefix) {
  SourceValue constant;
  constant.given = true;
  constant.constant = Tensor::scalar(number);
  constant.type = Type::of(constant.constant);
  SourceNode equal;
  equal.op = "Equal";
  equal.name = free_name(prefix + "is_" + std::to_string(number));
  equal.inputs = {value, free_name(prefix + std::to_string(number))};
  equal.outputs = {equal.name};
  source_.values.emplace(equal.inputs[1], std::move(constant));
  source_.values.emplace(equal.name, SourceValue{});
  source_.nodes.push_back(equal);
  return equal.name;
}

Status Flattener::loop(Body& body, const Operation& o, State& state) {
  const auto* condition = o.node.attribute<std::string>("cond");
  const auto* repeated = o.node.attribute<std::string>("body");
  if (!condition || !repeated) return damaged("does not say what it repeats");
  LAPIS_CHECK(needs(o, 1));
  SourceNode node = named(body, o);
  LAPIS_TRY(const std::vector<Resolved> first, called(*condition, o.inputs, node.name + "/first/", body.depth + 1));
  LAPIS_TRY(const std::string begins, one_condition(first));
  node.inputs.insert(node.inputs.begin(), begins);
  std::vector<int64_t> unchanged;
  LAPIS_TRY(std::shared_ptr<SourceGraph> graph, Flattener(*this, node.name + "/body/", body.depth + 1)
                                                    .as_loop(*repeated, *condition, o.inputs.size(), unchanged));
  push_what_is_written_in_order(*graph, source_, {node.inputs.begin() + 1, node.inputs.end()});
  node.attributes.insert_or_assign(frontend::kUnchanged, std::move(unchanged));
  node.bodies.push_back(std::move(graph));
  return add_node(body, o, state, std::move(node), o.inputs.size());
}

Result<std::shared_ptr<SourceGraph>> Flattener::as_branch(const std::string& function, size_t arguments) {
  LAPIS_TRY(const std::vector<Resolved> results, called(function, body_inputs(arguments), top_.prefix, top_.depth));
  return giving(results);
}

Result<std::shared_ptr<SourceGraph>> Flattener::as_choice(std::span<const std::string> functions, int32_t first,
                                                          size_t index_and_arguments) {
  LAPIS_TRY(const std::vector<Resolved> results,
            chosen(functions, first, body_inputs(index_and_arguments), top_.prefix, top_.depth));
  return giving(results);
}

Result<std::shared_ptr<SourceGraph>> Flattener::as_loop(const std::string& function, const std::string& condition,
                                                        size_t states, std::vector<int64_t>& unchanged) {
  for (const auto& [name, dtype] : {std::pair("iteration", DType::Int64), std::pair("condition", DType::Bool)})
    add_body_input(name, Type::tensor(dtype, Dims()));
  const std::vector<Resolved> arguments = body_inputs(states);
  LAPIS_TRY(std::vector<Resolved> next, called(function, arguments, top_.prefix, top_.depth));
  if (next.size() != states)
    return damaged("the function '" + function + "' gives " + std::to_string(next.size()) + " values for " +
                   std::to_string(states) + " states");
  LAPIS_TRY(const std::vector<Resolved> again, called(condition, next, top_.prefix + "again/", top_.depth));
  LAPIS_TRY(const std::string goes_on, one_condition(again));
  for (size_t i = 0; i < states; ++i)
    if (next[i] == arguments[i]) unchanged.push_back(static_cast<int64_t>(i));
  next.insert(next.begin(), goes_on);
  return giving(next);
}

const std::string& Flattener::add_body_input(const std::string& name, Type type) {
  SourceValue value;
  value.type = std::move(type);
  value.given = true;
  source_.inputs.push_back(top_.prefix + name);
  source_.values.emplace(source_.inputs.back(), std::move(value));
  return source_.inputs.back();
}

std::vector<Resolved> Flattener::body_inputs(size_t count) {
  std::vector<Resolved> names;
  for (size_t i = 0; i < count; ++i) names.emplace_back(add_body_input("argument_" + std::to_string(i), Type()));
  return names;
}

Result<std::shared_ptr<SourceGraph>> Flattener::giving(const std::vector<Resolved>& results) {
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) return unsupported("a result that lies in a branch that is not taken");
    add_output({top_.prefix + "result_" + std::to_string(i), ""}, *results[i]);
  }
  structure_branches(source_);
  return std::make_shared<SourceGraph>(std::move(source_));
}

}  // namespace lapis::tensorflow_frontend
