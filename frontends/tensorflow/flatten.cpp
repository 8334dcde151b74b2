#include "frontends/tensorflow/flatten.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "frontends/common/control.h"
#include "frontends/common/symbols.h"
#include "frontends/tensorflow/branches.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tensorflow/refs.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;

Diagnostic unsupported(std::string message) { return error(ErrorKind::Unsupported, std::move(message)); }
Diagnostic damaged(std::string message) {
  return error(ErrorKind::Input, std::move(message)).help("the model is incomplete: export it again");
}

// What a value of a body is in the flat graph; nothing where the branch it lies in is not taken.
using Resolved = std::optional<std::string>;

struct State {
  enum class Mark : uint8_t { New, Open, Done } mark = Mark::New;
  std::vector<Resolved> outputs;
  std::optional<size_t> source;  // the node of the flat graph, which gets outputs as they are asked for
};

// The graph, or a function that is called.
struct Body {
  const std::vector<NodeDef>& nodes;
  std::string prefix;
  int depth;
  std::unordered_map<std::string_view, Resolved> arguments = {};
  std::unordered_map<std::string_view, size_t> index = {};
  std::vector<State> states = {};

  Body(const std::vector<NodeDef>& all, std::string before, int level)
      : nodes(all), prefix(std::move(before)), depth(level), states(all.size()) {
    for (size_t i = 0; i < all.size(); ++i) index.emplace(all[i].name, i);
  }
};

const std::vector<NodeDef> kNoNodes;
const Part kNothing;

size_t node_count(const Model& model) {
  size_t count = model.graph.nodes.size();
  for (const auto& [name, function] : model.graph.functions) count += function.nodes.size();
  return count;
}

class Flattener {
 public:
  Flattener(const Model& model, const Part& part, frontend::Expansion& expansion)
      : model_(model), part_(part), top_(model.graph.nodes, "", 0), expansion_(expansion) {}
  // For a graph that a node of another one runs.
  Flattener(const Flattener& around, std::string prefix, int depth)
      : model_(around.model_),
        part_(kNothing),
        top_(kNoNodes, std::move(prefix), depth),
        expansion_(around.expansion_) {
    source_.file_bytes = model_.bytes;
  }

  static std::vector<frontend::Resolved> resolved() {
    std::vector<frontend::Resolved> all;
    for (const Row& row : rows()) all.push_back({row.op, row.meaning});
    return all;
  }

  Result<SourceGraph> run() {
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

 private:
  struct Operation {
    const NodeDef& node;
    const std::vector<Resolved>& inputs;  // without those that only order
  };
  using Handler = Status (Flattener::*)(Body&, const Operation&, State&);

  static std::vector<std::string> refs_of(const std::vector<Port>& ports) {
    std::vector<std::string> refs;
    for (const Port& port : ports) refs.push_back(port.ref);
    return refs;
  }

  // ---- the part that is wanted ----------------------------------------------------------------------------------------

  static std::string key_of(const Ref& ref) { return name_of_output(std::string(ref.node), ref.index); }

  Status add_cuts() {
    for (const Port& input : part_.inputs) {
      const Ref ref = ref_of(input.ref);
      const auto node = top_.index.find(ref.node);
      if (node == top_.index.end()) return nothing_called(input.ref);
      LAPIS_CHECK(add_input(input.name, model_.graph.nodes[node->second], ref.index));
      cuts_.emplace(key_of(ref), input.name);
      if (!part_.values.contains(input.name)) source_.inputs.push_back(input.name);
    }
    return ok();
  }

  // Inputs that nothing reads would vanish without a word.
  Status check_cuts() const {
    for (const auto& [name, number] : part_.values)
      if (!used_values_.contains(name))
        return error(ErrorKind::Usage, "the part of the model that is wanted has no input '" + name +
                                           "' to be always " + std::to_string(number));
    for (const Port& input : part_.inputs)
      if (!read_cuts_.contains(input.name) && part_.from_user)
        return error(ErrorKind::Input, "the outputs do not depend on input '" + input.name + "'")
            .help("leave it out of --inputs");
    return ok();
  }

  static Diagnostic nothing_called(std::string_view ref) {
    return error(ErrorKind::Input, "the model has no value '" + std::string(ref) + "'")
        .help("values are called like the nodes that compute them: NODE, or NODE:1 for the second output");
  }

  // Of the nodes that nobody reads those that compute something.
  std::vector<Port> last_values() const {
    static const std::unordered_set<std::string_view> kNoResults = {"NoOp",
                                                                    "Const",
                                                                    "Placeholder",
                                                                    "PlaceholderWithDefault",
                                                                    "Assert",
                                                                    "Print",
                                                                    "PrintV2",
                                                                    "SaveV2",
                                                                    "RestoreV2",
                                                                    "MergeV2Checkpoints",
                                                                    "Assign",
                                                                    "AssignAdd",
                                                                    "AssignVariableOp",
                                                                    "VarHandleOp",
                                                                    "VariableV2",
                                                                    "ReadVariableOp",
                                                                    "ScalarSummary",
                                                                    "HistogramSummary",
                                                                    "MergeSummary",
                                                                    "ImageSummary",
                                                                    "IteratorGetNext",
                                                                    "ShardedFilename"};
    std::unordered_set<std::string_view> read;
    for (const NodeDef& node : model_.graph.nodes)
      for (const std::string& input : node.inputs) read.insert(ref_of(input).node);
    std::vector<Port> outputs;
    for (const NodeDef& node : model_.graph.nodes)
      if (!read.contains(node.name) && !kNoResults.contains(node.op)) outputs.push_back({node.name, node.name});
    return outputs;
  }

  void add_output(const Port& output, const std::string& value) {
    if (value == output.name && !source_.values.at(value).given) return source_.outputs.push_back(output.name);
    SourceNode same;
    same.op = "Identity";
    same.name = output.name;
    same.inputs = {value};
    same.outputs = {free_name(output.name)};
    source_.values.emplace(same.outputs[0], SourceValue{});
    source_.outputs.push_back(same.outputs[0]);
    source_.nodes.push_back(std::move(same));
  }

  std::string free_name(std::string name) const {
    while (source_.values.contains(name)) name += "_";
    return name;
  }

  // ---- order ------------------------------------------------------------------------------------------------------------

  // Visits what the values need, operands first. Not by recursion: a graph may be a chain of a million nodes.
  Status visit_all(Body& body, const std::vector<std::string>& refs) {
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

  Status enter(Body& body, std::string_view input, std::vector<std::pair<size_t, size_t>>& open) {
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

  // Of the edges that only order, those count that say in which branch of a Switch a node lies: a random number has no other operand.
  static bool is_read(const Body& body, const std::string& input) {
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

  bool is_cut(const Body& body, const Ref& ref) const { return body.depth == 0 && cuts_.contains(key_of(ref)); }

  // A placeholder is an input, unless its default is a constant; then it is that.
  static bool reads_operands(const Body& body, const NodeDef& node) {
    return node.op == "PlaceholderWithDefault" ? has_constant_default(body, node) : node.op != "IteratorGetNext";
  }

  static bool has_constant_default(const Body& body, const NodeDef& node) {
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

  static std::string location(const Body& body, const NodeDef& node) {
    return "node '" + body.prefix + node.name + "' (" + node.op + ")";
  }

  Result<Resolved> resolve(Body& body, std::string_view input) {
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

  Result<Resolved> output_of(const Body& body, const NodeDef& node, State& state, size_t index) {
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

  // ---- nodes ------------------------------------------------------------------------------------------------------------

  Status visit(Body& body, size_t i) {
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

  // What becomes of operators that do not stay.
  struct Row {
    std::string_view op;
    Handler handler;
    std::string_view meaning;
  };
  static std::span<const Row> rows() {
    static constexpr Row kRows[] = {
        {"Assert", &Flattener::nothing, "nothing: it checks while the model runs"},
        {"BatchFunction", &Flattener::call, "the function that it calls"},
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
        {"StatelessIf", &Flattener::branch, "the branch that is taken, where the condition is known"},
        {"StopGradient", &Flattener::alias, "its operand"},
        {"StatelessWhile", &Flattener::loop, "a loop"},
        {"Switch", &Flattener::switched, "the branch that is taken, where the condition is known"},
        {"VarHandleOp", &Flattener::variable, "the value of the variable"},
        {"Variable", &Flattener::variable, "the value of the variable"},
        {"VariableV2", &Flattener::variable, "the value of the variable"},
        {"While", &Flattener::loop, "a loop"},
    };
    return kRows;
  }

  Handler handler_of(const NodeDef& node) const {
    static const std::unordered_map<std::string_view, Handler> kHandlers = [] {
      std::unordered_map<std::string_view, Handler> handlers;
      for (const Row& row : rows()) handlers.emplace(row.op, row.handler);
      return handlers;
    }();
    if (const auto it = kHandlers.find(node.op); it != kHandlers.end()) return it->second;
    return model_.graph.functions.contains(node.op) ? &Flattener::call : &Flattener::operation;
  }

  static Status needs(const Operation& o, size_t inputs) {
    if (o.inputs.size() >= inputs) return ok();
    return damaged("has " + std::to_string(o.inputs.size()) + " operands, not " + std::to_string(inputs));
  }

  Status nothing(Body&, const Operation&, State&) { return ok(); }

  Status alias(Body&, const Operation& o, State& state) {
    LAPIS_CHECK(needs(o, 1));
    state.outputs = {o.inputs[0]};
    return ok();
  }

  Status aliases(Body&, const Operation& o, State& state) {
    state.outputs = o.inputs;
    return ok();
  }

  Status operation(Body& body, const Operation& o, State& state) {
    size_t bytes = body.prefix.size() + o.node.name.size();
    for (const Resolved& input : o.inputs) bytes += input->size();
    if (!expansion_.add_node() || !expansion_.add_bytes(bytes)) return expansion_.explosion("names");
    return add_node(body, o, state, named(body, o));
  }

  static SourceNode named(const Body& body, const Operation& o) {
    SourceNode result;
    result.op = o.node.op;
    result.name = body.prefix + o.node.name;
    result.attributes = o.node.attributes;
    for (const Resolved& input : o.inputs) result.inputs.push_back(*input);
    return result;
  }

  // Further outputs come as they are asked for.
  Status add_node(const Body& body, const Operation& o, State& state, SourceNode node, size_t outputs = 1) {
    state.source = source_.nodes.size();
    source_.nodes.push_back(std::move(node));
    return output_of(body, o.node, state, outputs - 1).ok() ? ok() : Status(expansion_.explosion("names"));
  }

  Status constant(Body& body, const Operation& o, State& state) {
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

  Status given(Body& body, const Operation& o, State& state, SourceValue value) {
    value.given = true;
    const std::string name = free_name(body.prefix + o.node.name);
    if (!expansion_.add_bytes(name.size())) return expansion_.explosion("names");
    source_.values.emplace(name, std::move(value));
    state.outputs = {Resolved(name)};
    return ok();
  }

  // ---- inputs and variables -------------------------------------------------------------------------------------------

  static DType dtype_of_output(const NodeDef& node, size_t index) {
    for (const char* key : {"output_types", "Tout", "component_types"})
      if (const auto* types = node.attribute<std::vector<int64_t>>(key); types && index < types->size())
        return dtype_of_number((*types)[index]);
    for (const char* key : {"dtype", "T", "DstT", "out_type"})
      if (const auto* type = node.attribute<int64_t>(key)) return dtype_of_number(*type);
    return DType::Float32;
  }

  static ShapeProto shape_of_output(const NodeDef& node, size_t index) {
    if (index < node.output_shapes.size()) return node.output_shapes[index];
    const auto* shape = index == 0 ? node.attribute<std::vector<int64_t>>("shape") : nullptr;
    return shape ? ShapeProto(*shape) : ShapeProto();
  }

  Status add_input(const std::string& name, const NodeDef& node, size_t index) {
    SourceValue value;
    value.given = true;
    const DType dtype = dtype_of_output(node, index);
    const ShapeProto shape = shape_of_output(node, index);
    std::optional<Dims> dims;
    if (shape) {
      dims.emplace();
      for (size_t axis = 0; axis < shape->size(); ++axis) {
        const int64_t size = (*shape)[axis];
        if (size < -1) return damaged("has the size " + std::to_string(size));
        dims->push_back(size < 0 ? frontend::Symbols::unnamed(name, axis) : Dim(size));
      }
    }
    value.type = Type::tensor(dtype, std::move(dims));
    if (dtype == DType::Undefined || dtype == DType::String)
      value.unsupported = dtype == DType::String ? "string tensors" : "tensors of its type";
    if (const auto number = part_.values.find(name); number != part_.values.end()) {
      LAPIS_CHECK(make_number(value, number->second));
      used_values_.insert(name);
    }
    if (!source_.values.emplace(name, std::move(value)).second)
      return error(ErrorKind::Input, "input '" + name + "' is listed twice");
    return ok();
  }

  static Status make_number(SourceValue& value, double number) {
    Tensor tensor(value.type.dtype, value.type.static_shape().value_or(Shape()));
    if (tensor.size() != 1) return error(ErrorKind::Usage, "only an input of one number can always be the same number");
    visit_dtype(tensor.dtype(), [&]<class T>(T) {
      if constexpr (std::is_arithmetic_v<T>) tensor.mutable_data<T>()[0] = static_cast<T>(number);
    });
    value.type = Type::of(tensor);
    value.constant = std::move(tensor);
    return ok();
  }

  Status input(Body& body, const Operation& o, State& state) {
    if (body.depth > 0) return unsupported("an input within a function");
    if (!part_.inputs.empty() && part_.from_user)
      return error(ErrorKind::Input, "the outputs depend on this input too")
          .help("name it in --inputs, or other --outputs");
    const auto* types = o.node.attribute<std::vector<int64_t>>("output_types");
    const size_t count = types ? std::min(types->size(), kMostOutputs) : 1;
    const auto position = static_cast<size_t>(&o.node - body.nodes.data());
    for (size_t i = 0; i < count; ++i) {
      const std::string name = name_of_output(o.node.name, i);
      LAPIS_CHECK(add_input(name, o.node, i));
      state.outputs.emplace_back(name);
      if (!part_.values.contains(name)) found_inputs_.emplace_back(position, name);
    }
    return ok();
  }

  Status placeholder_with_default(Body& body, const Operation& o, State& state) {
    return o.inputs.empty() || part_.values.contains(o.node.name) ? input(body, o, state) : alias(body, o, state);
  }

  Status variable(Body& body, const Operation& o, State& state) {
    if (!model_.variable) return operation(body, o, state);
    LAPIS_TRY(Tensor tensor, model_.variable(o.node));
    if (!tensor.defined()) return operation(body, o, state);
    SourceValue value;
    value.type = Type::of(tensor);
    value.constant = std::move(tensor);
    return given(body, o, state, std::move(value));
  }

  // ---- branches and loops ----------------------------------------------------------------------------------------------

  // The predicate where it is known.
  std::optional<bool> predicate(const Resolved& value) const {
    const Tensor& tensor = source_.values.at(*value).constant;
    return tensor.defined() && tensor.size() == 1 ? std::optional(tensor.as_double(0) != 0) : std::nullopt;
  }

  Status switched(Body& body, const Operation& o, State& state) {
    LAPIS_CHECK(needs(o, 2));
    const auto taken = predicate(o.inputs[1]);
    if (!taken) return operation(body, o, state);
    state.outputs = {*taken ? Resolved() : o.inputs[0], *taken ? o.inputs[0] : Resolved()};
    return ok();
  }

  Status merge(Body& body, const Operation& o, State& state) {
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

  Status operation_of_live(Body& body, const Operation& o, State& state) {
    std::vector<Resolved> live;
    for (const Resolved& input : o.inputs)
      if (input) live.push_back(input);
    return operation(body, {o.node, live}, state);
  }

  Status branch(Body& body, const Operation& o, State& state) {
    LAPIS_CHECK(needs(o, 1));
    const std::string* functions[] = {o.node.attribute<std::string>("then_branch"),
                                      o.node.attribute<std::string>("else_branch")};
    if (!functions[0] || !functions[1]) return damaged("does not say what its branches are");
    const std::vector<Resolved> arguments(o.inputs.begin() + 1, o.inputs.end());
    if (const auto taken = predicate(o.inputs[0]))
      return inlined(body, {o.node, arguments}, state, *functions[*taken ? 0 : 1]);
    SourceNode node = named(body, o);
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

  // The condition stands twice: before the loop, and behind each iteration.
  Status loop(Body& body, const Operation& o, State& state) {
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
    node.attributes.insert_or_assign(frontend::kUnchanged, std::move(unchanged));
    node.bodies.push_back(std::move(graph));
    return add_node(body, o, state, std::move(node), o.inputs.size());
  }

  static Result<std::string> one_condition(const std::vector<Resolved>& results) {
    if (results.size() == 1 && results[0]) return *results[0];
    return damaged("the condition of a loop gives " + std::to_string(results.size()) + " values");
  }

  // ---- bodies: graphs of their own ----------------------------------------------------------------------------------------

  Result<std::shared_ptr<SourceGraph>> as_branch(const std::string& function, size_t arguments) {
    LAPIS_TRY(const std::vector<Resolved> results, called(function, body_inputs(arguments), top_.prefix, top_.depth));
    LAPIS_CHECK(add_results(results));
    structure_branches(source_);
    return std::make_shared<SourceGraph>(std::move(source_));
  }

  Result<std::shared_ptr<SourceGraph>> as_loop(const std::string& function, const std::string& condition, size_t states,
                                               std::vector<int64_t>& unchanged) {
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
    LAPIS_CHECK(add_results(next));
    structure_branches(source_);
    return std::make_shared<SourceGraph>(std::move(source_));
  }

  const std::string& add_body_input(const std::string& name, Type type) {
    SourceValue value;
    value.type = std::move(type);
    value.given = true;
    source_.inputs.push_back(top_.prefix + name);
    source_.values.emplace(source_.inputs.back(), std::move(value));
    return source_.inputs.back();
  }

  std::vector<Resolved> body_inputs(size_t count) {
    std::vector<Resolved> names;
    for (size_t i = 0; i < count; ++i) names.emplace_back(add_body_input("argument_" + std::to_string(i), Type()));
    return names;
  }

  // Results that are an input, a constant, or one value twice have names of their own.
  Status add_results(const std::vector<Resolved>& results) {
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i]) return unsupported("a result that lies in a branch that is not taken");
      add_output({top_.prefix + "result_" + std::to_string(i), ""}, *results[i]);
    }
    return ok();
  }

  // ---- functions ----------------------------------------------------------------------------------------------------------

  Status call(Body& body, const Operation& o, State& state) {
    const auto* function = o.node.attribute<std::string>("f");
    return inlined(body, o, state, function ? *function : o.node.op);
  }

  Status inlined(const Body& body, const Operation& o, State& state, const std::string& function) {
    LAPIS_TRY(state.outputs, called(function, o.inputs, body.prefix + o.node.name + "/", body.depth + 1));
    return ok();
  }

  // What a function gives of these arguments; its nodes stand in the graph then.
  Result<std::vector<Resolved>> called(const std::string& name, const std::vector<Resolved>& arguments,
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

  static constexpr size_t kMostDeadOutputs = 16;

  const Model& model_;
  const Part& part_;
  Body top_;
  frontend::Expansion& expansion_;
  SourceGraph source_;
  std::unordered_map<std::string, std::string> cuts_;  // values of the graph that are inputs, and the names of these
  std::set<std::string> read_cuts_, used_values_;
  std::vector<std::pair<size_t, std::string>> found_inputs_;
};

}  // namespace

Port Part::of(const std::string& name) {
  const bool first = name.ends_with(":0");
  return {first ? name.substr(0, name.size() - 2) : name, name};
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
