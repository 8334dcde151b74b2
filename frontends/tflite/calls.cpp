#include "frontends/tflite/calls.h"

#include "frontends/common/control.h"
#include "frontends/common/limits.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;

Diagnostic damaged(std::string message) { return error(ErrorKind::Input, std::move(message)); }

int64_t number_of(const SourceNode& node, std::string_view option) {
  return frontend::attribute<int64_t>(node.attributes, option, -1);
}

std::string text_of(const SourceNode& node, std::string_view option) {
  const auto it = node.attributes.find(option);
  const auto* text = it == node.attributes.end() ? nullptr : std::get_if<std::string>(&it->second);
  return text ? *text : "";
}

// What a variable holds when a run begins, as the reals that it may stand for.
Tensor zeros(const SourceValue& variable) {
  constexpr int64_t kMost = int64_t{1} << 24;
  if (!variable.type.is_static() || (variable.type.dtype != DType::Float32 && !variable.quantization)) return {};
  const Shape shape = variable.type.shape();
  const int64_t count = element_count(shape);
  return count > kMost ? Tensor() : Tensor::of(shape, std::vector<float>(static_cast<size_t>(count)));
}

bool is_integer_state(const SourceValue& variable, DType dtype) {
  return variable.type.dtype == dtype && variable.quantization && variable.unsupported == kVariable;
}

SourceValue constant(Tensor tensor) {
  SourceValue value;
  value.type = Type::of(tensor);
  value.constant = std::move(tensor);
  value.given = true;
  return value;
}

// What stands in the result for the names of a graph that is copied into it.
struct Copy {
  const SourceGraph& from;
  std::string prefix;
  int depth = 0;
  std::unordered_map<std::string, std::string> renamed = {};  // its inputs
  std::unordered_map<std::string, std::string> handles = {};  // names of variables by the values that stand for them

  std::string name(const std::string& original) const {
    if (original.empty()) return original;
    const auto it = renamed.find(original);
    return it == renamed.end() ? prefix + original : it->second;
  }
  std::vector<std::string> names(const std::vector<std::string>& originals) const {
    std::vector<std::string> all;
    all.reserve(originals.size());
    for (const std::string& original : originals) all.push_back(name(original));
    return all;
  }
};

class Resolver {
 public:
  explicit Resolver(const std::vector<SourceGraph>& graphs) : graphs_(graphs), expansion_(nodes_of(graphs), 0) {}

  Result<SourceGraph> run(size_t main) {
    SourceGraph result;
    Copy copy{graphs_[main], ""};
    count_uses(copy.from);
    LAPIS_CHECK(add_all(result, copy));
    result.name = copy.from.name;
    result.inputs = copy.from.inputs;
    result.outputs = copy.from.outputs;
    for (const auto& [state, next] : states_) {
      result.inputs.push_back(state);
      result.outputs.push_back(next);
    }
    return result;
  }

 private:
  using Function = Status (Resolver::*)(SourceGraph&, Copy&, const SourceNode&);

  static size_t nodes_of(const std::vector<SourceGraph>& graphs) {
    size_t count = 0;
    for (const SourceGraph& graph : graphs) count += graph.nodes.size();
    return count;
  }

  Status add_all(SourceGraph& to, Copy& copy) {
    if (copy.depth > frontend::kMaxDepth) return damaged("graphs call each other too deeply");
    for (const auto& [name, value] : copy.from.values)
      if (!copy.renamed.contains(name)) LAPIS_CHECK(add_value(to, copy.prefix + name, value));
    for (const SourceNode& node : copy.from.nodes) {
      if (!expansion_.add_node()) return expansion_.explosion("its graphs");
      LAPIS_CHECK((this->*function_of(node.op))(to, copy, node));
    }
    return ok();
  }

  static Function function_of(const std::string& op) {
    static const std::map<std::string_view, Function> functions = {
        {"BIDIRECTIONAL_SEQUENCE_LSTM", &Resolver::from_zeros},
        {"BIDIRECTIONAL_SEQUENCE_RNN", &Resolver::from_zeros},
        {"CALL", &Resolver::call},
        {"CALL_ONCE", &Resolver::call_once},
        {"IF", &Resolver::branch},
        {"READ_VARIABLE", &Resolver::read_variable},
        {"SVDF", &Resolver::hand_over_state},
        {"UNIDIRECTIONAL_SEQUENCE_LSTM", &Resolver::from_zeros},
        {"UNIDIRECTIONAL_SEQUENCE_RNN", &Resolver::from_zeros},
        {"VAR_HANDLE", &Resolver::name_variable},
        {"WHILE", &Resolver::repeat},
    };
    const auto it = functions.find(op);
    return it == functions.end() ? &Resolver::keep : it->second;
  }

  static Status add_value(SourceGraph& to, const std::string& name, const SourceValue& value) {
    if (to.values.emplace(name, value).second) return ok();
    return damaged("two values are called '" + name + "'");
  }

  static SourceNode renamed(const Copy& copy, const SourceNode& node) {
    SourceNode twin = node;
    twin.name = copy.prefix + node.name;
    twin.inputs = copy.names(node.inputs);
    twin.outputs = copy.names(node.outputs);
    return twin;
  }

  Status keep(SourceGraph& to, Copy& copy, const SourceNode& node) {
    to.nodes.push_back(renamed(copy, node));
    return ok();
  }

  // ---- graphs that are called ---------------------------------------------------------------------------------------

  // Copies a graph; gives the names of its outputs.
  Result<std::vector<std::string>> inlined(SourceGraph& to, int64_t graph, const std::vector<std::string>& inputs,
                                           std::string prefix, int depth) {
    if (graph < 0 || graph >= static_cast<int64_t>(graphs_.size()))
      return damaged("an operator calls graph " + std::to_string(graph) + " of " + std::to_string(graphs_.size()));
    if (!expansion_.add_node()) return expansion_.explosion("its graphs");
    Copy copy{graphs_[static_cast<size_t>(graph)], std::move(prefix), depth};
    if (copy.from.inputs.size() != inputs.size())
      return damaged("graph '" + copy.from.name + "' is called with " + std::to_string(inputs.size()) +
                     " operands, but has " + std::to_string(copy.from.inputs.size()) + " inputs");
    for (size_t i = 0; i < inputs.size(); ++i) copy.renamed.emplace(copy.from.inputs[i], inputs[i]);
    LAPIS_CHECK(add_all(to, copy));
    return copy.names(copy.from.outputs);
  }

  // Results that are an input, a constant, or one value twice get names of their own.
  static Status set_outputs(SourceGraph& body, std::vector<std::string> results, const std::string& prefix) {
    SourceNode node;
    node.op = "CALL";
    node.name = prefix + "results";
    for (size_t i = 0; i < results.size(); ++i) {
      const std::string name = prefix + "result_" + std::to_string(i);
      SourceValue value = body.values[results[i]];
      value.constant = Tensor();
      value.given = false;
      LAPIS_CHECK(add_value(body, name, value));
      body.outputs.push_back(name);
    }
    node.outputs = body.outputs;
    node.inputs = std::move(results);
    body.nodes.push_back(std::move(node));
    return ok();
  }

  // The inputs of a graph as those of a body; their names.
  std::vector<std::string> add_inputs(SourceGraph& body, int64_t graph, const std::string& prefix) const {
    if (graph < 0 || graph >= static_cast<int64_t>(graphs_.size())) return {};
    const SourceGraph& from = graphs_[static_cast<size_t>(graph)];
    std::vector<std::string> names;
    for (const std::string& input : from.inputs) {
      names.push_back(prefix + input);
      if (body.values.emplace(names.back(), from.values.at(input)).second) body.inputs.push_back(names.back());
    }
    return names;
  }

  Status call(SourceGraph& to, Copy& copy, const SourceNode& node) {
    SourceNode twin = renamed(copy, node);
    LAPIS_TRY(twin.inputs,
              inlined(to, number_of(node, "subgraph"), twin.inputs, twin.name + "/called/", copy.depth + 1));
    to.nodes.push_back(std::move(twin));
    return ok();
  }

  Status branch(SourceGraph& to, Copy& copy, const SourceNode& node) {
    SourceNode twin = renamed(copy, node);
    for (const char* side : {"then", "else"}) {
      const int64_t graph = number_of(node, std::string(side) + "_subgraph");
      const std::string prefix = twin.name + "/" + side + "/";
      auto body = std::make_shared<SourceGraph>();
      const std::vector<std::string> inputs = add_inputs(*body, graph, prefix);
      LAPIS_TRY(std::vector<std::string> results, inlined(*body, graph, inputs, prefix, copy.depth + 1));
      LAPIS_CHECK(set_outputs(*body, std::move(results), prefix));
      twin.bodies.push_back(std::move(body));
    }
    to.nodes.push_back(std::move(twin));
    return ok();
  }

  // The condition stands twice: before the loop, and behind each iteration.
  Status repeat(SourceGraph& to, Copy& copy, const SourceNode& node) {
    SourceNode twin = renamed(copy, node);
    const int64_t condition = number_of(node, "cond_subgraph"), graph = number_of(node, "body_subgraph");
    const int depth = copy.depth + 1;
    const std::string prefix = twin.name + "/body/";
    LAPIS_TRY(std::vector<std::string> first, inlined(to, condition, twin.inputs, twin.name + "/first/", depth));
    auto body = std::make_shared<SourceGraph>();
    for (const auto& [name, dtype] : {std::pair("iteration", DType::Int64), std::pair("condition", DType::Bool)}) {
      body->inputs.push_back(twin.name + "/" + name);
      SourceValue value;
      value.type = Type::tensor(dtype, Dims());
      value.given = true;
      body->values.emplace(body->inputs.back(), std::move(value));
    }
    const std::vector<std::string> states = add_inputs(*body, graph, prefix);
    LAPIS_TRY(std::vector<std::string> next, inlined(*body, graph, states, prefix, depth));
    LAPIS_TRY(std::vector<std::string> again, inlined(*body, condition, next, twin.name + "/again/", depth));
    if (again.size() != 1) return damaged("the condition of a loop gives " + std::to_string(again.size()) + " values");
    std::vector<int64_t> unchanged;
    for (size_t i = 0; i < next.size(); ++i)
      if (i < states.size() && next[i] == states[i]) unchanged.push_back(static_cast<int64_t>(i));
    twin.attributes.insert_or_assign(frontend::kUnchanged, std::move(unchanged));
    next.insert(next.begin(), again[0]);
    LAPIS_CHECK(set_outputs(*body, std::move(next), prefix));
    twin.inputs.insert(twin.inputs.begin(), first[0]);
    twin.bodies.push_back(std::move(body));
    to.nodes.push_back(std::move(twin));
    return ok();
  }

  // ---- variables ----------------------------------------------------------------------------------------------------

  static std::string key_of(const SourceNode& node) {
    return text_of(node, "container") + "/" + text_of(node, "shared_name");
  }

  Status name_variable(SourceGraph& to, Copy& copy, const SourceNode& node) {
    if (node.outputs.size() != 1) return damaged("'" + node.name + "' stands for no variable");
    copy.handles[node.outputs[0]] = key_of(node);
    SourceValue& handle = to.values[copy.name(node.outputs[0])];
    handle.given = true;
    handle.unsupported = "resource tensors";
    return ok();
  }

  // Runs what sets variables: it may do nothing else.
  Status call_once(SourceGraph&, Copy&, const SourceNode& node) {
    const int64_t graph = number_of(node, "subgraph");
    if (graph < 0 || graph >= static_cast<int64_t>(graphs_.size()))
      return damaged("an operator calls graph " + std::to_string(graph) + " of " + std::to_string(graphs_.size()));
    const SourceGraph& from = graphs_[static_cast<size_t>(graph)];
    std::unordered_map<std::string, std::string> handles;
    for (const SourceNode& step : from.nodes) {
      if (step.op == "VAR_HANDLE" && step.outputs.size() == 1)
        handles[step.outputs[0]] = key_of(step);
      else if (step.op == "ASSIGN_VARIABLE" && step.inputs.size() == 2)
        LAPIS_CHECK(assign(handles[step.inputs[0]], from, step.inputs[1]));
      else
        return error(ErrorKind::Unsupported, "graph '" + from.name + "', which prepares the model, runs " + step.op +
                                                 ", not only assignments of constants to variables");
    }
    return ok();
  }

  Status assign(const std::string& variable, const SourceGraph& from, const std::string& name) {
    const auto value = from.values.find(name);
    if (value == from.values.end() || !value->second.constant.defined())
      return error(ErrorKind::Unsupported,
                   "graph '" + from.name + "' computes the value of variable '" + variable + "'");
    variables_[variable] = value->second;
    return ok();
  }

  Status read_variable(SourceGraph& to, Copy& copy, const SourceNode& node) {
    const auto handle = node.inputs.size() == 1 ? copy.handles.find(node.inputs[0]) : copy.handles.end();
    if (handle == copy.handles.end()) return keep(to, copy, node);
    const auto variable = variables_.find(handle->second);
    if (variable == variables_.end())
      return damaged("'" + node.name + "' reads variable '" + handle->second + "', which nothing has set");
    SourceNode twin = renamed(copy, node);
    twin.inputs = {twin.name + "/variable"};
    LAPIS_CHECK(add_value(to, twin.inputs[0], variable->second));
    to.nodes.push_back(std::move(twin));
    return ok();
  }

  // States of integers begin as zeros too, but outputs are rounded from step to step,
  // and cells go no farther than their integers.
  static void note_integers(const SourceGraph& to, SourceNode& node) {
    constexpr size_t kOutput = 18, kCell = 19;
    constexpr double kLargest = 32767;
    if (node.op != "UNIDIRECTIONAL_SEQUENCE_LSTM" || node.inputs.size() <= kCell) return;
    const auto output = to.values.find(node.inputs[kOutput]), cell = to.values.find(node.inputs[kCell]);
    if (output == to.values.end() || !is_integer_state(output->second, DType::Int8)) return;
    if (cell == to.values.end() || !is_integer_state(cell->second, DType::Int16)) return;
    node.attributes.insert_or_assign("output_scale", double{output->second.quantization->scales[0]});
    node.attributes.insert_or_assign("output_zero_point", output->second.quantization->zero_points[0]);
    node.attributes.insert_or_assign("cell_range", kLargest * cell->second.quantization->scales[0]);
  }

  Status from_zeros(SourceGraph& to, Copy& copy, const SourceNode& node) {
    SourceNode twin = renamed(copy, node);
    note_integers(to, twin);
    const bool has_integers = twin.attributes.contains("cell_range");
    for (std::string& input : twin.inputs) {
      const auto value = to.values.find(input);
      if (input.empty() || value == to.values.end() || value->second.unsupported != kVariable) continue;
      Tensor start = zeros(value->second);
      if (!start.defined() || (value->second.quantization && !has_integers)) continue;
      if (!expansion_.add_bytes(static_cast<size_t>(start.bytes()))) return expansion_.explosion("variables");
      input.insert(0, twin.name + "/").append("_at_first");
      to.values.emplace(input, constant(std::move(start)));
    }
    to.nodes.push_back(std::move(twin));
    return ok();
  }

  // A state that lives from one run to the next is an input, and what it becomes an output,
  // where this operator alone knows it.
  Status hand_over_state(SourceGraph& to, Copy& copy, const SourceNode& node) {
    constexpr size_t kState = 4;
    SourceNode twin = renamed(copy, node);
    if (copy.depth == 0 && twin.inputs.size() == kState + 1 && uses_[node.inputs[kState]] == 1) {
      const auto state = to.values.find(twin.inputs[kState]);
      if (state != to.values.end() && can_be_handed_over(state->second)) {
        std::string next = state->first + "_next";
        while (to.values.contains(next)) next += "_";
        state->second.unsupported.clear();
        state->second.given = true;
        states_.emplace_back(state->first, next);
        twin.outputs.push_back(next);
        SourceValue becomes = state->second;
        becomes.given = false;
        to.values.emplace(std::move(next), std::move(becomes));
      }
    }
    to.nodes.push_back(std::move(twin));
    return ok();
  }

  static bool can_be_handed_over(const SourceValue& variable) {
    return is_integer_state(variable, DType::Int16) ||
           (variable.type.dtype == DType::Float32 && variable.unsupported == kVariable);
  }

  void count_uses(const SourceGraph& graph) {
    std::vector<const std::vector<std::string>*> lists = {&graph.inputs, &graph.outputs};
    for (const SourceNode& node : graph.nodes) lists.insert(lists.end(), {&node.inputs, &node.outputs});
    for (const std::vector<std::string>* names : lists)
      for (const std::string& name : *names) ++uses_[name];
  }

  const std::vector<SourceGraph>& graphs_;
  std::vector<std::pair<std::string, std::string>> states_;  // and what they become
  std::unordered_map<std::string, size_t> uses_;             // of the values of the main graph
  frontend::Expansion expansion_;
  std::unordered_map<std::string, SourceValue> variables_;
};

}  // namespace

Result<SourceGraph> resolve_calls(const std::vector<SourceGraph>& graphs, size_t main) {
  return Resolver(graphs).run(main);
}

}  // namespace lapis::tflite_frontend
