#include "ir/infer.h"

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "ir/ops/ops.h"

namespace lapis {

// ---- what records see ---------------------------------------------------------------------------------------------

const Type& InferContext::in(size_t i) const {
  LAPIS_ASSERT(has(i), node_.op().name << " (node '" << node_.name() << "') has no input " << i);
  return node_.input(i)->type();
}

const Tensor* InferContext::constant(size_t i) const {
  return has(i) && node_.input(i)->is_constant() ? &node_.input(i)->constant() : nullptr;
}

static std::optional<Dims> constant_contents(const Tensor& tensor) {
  constexpr int64_t kSmall = 1024;  // shapes, axes, pads; never a weight
  if (!is_integer(tensor.dtype()) || tensor.size() > kSmall) return std::nullopt;
  const std::vector<int64_t> values = tensor.as_ints();
  return Dims(values.begin(), values.end());
}

// Sizes of tensors are not so large that their products with smaller factors leave 32 bits.
static bool may_wrap(const Dim& d, DType dtype) {
  constexpr int64_t kLargestFactor = 1 << 24;
  if (dtype != DType::Int32 || !d.is_known()) return d.is_too_large();
  return d.is_constant() ? d.value() != static_cast<int32_t>(d.value()) : !d.is_within(kLargestFactor);
}

std::optional<Dims> computed_contents(const InferContext& context) {
  const Node& node = context.node();
  if (!node.op().propagate || !node.output(0)) return std::nullopt;
  auto contents = node.op().propagate(context);
  if (!contents) return std::nullopt;
  for (Dim& d : *contents)
    if (may_wrap(d, node.output(0)->dtype())) d = Dim::unknown();
  return contents;
}

std::optional<Dims> InferContext::contents(size_t i) const {
  if (const Tensor* tensor = constant(i)) return constant_contents(*tensor);
  if (!has(i)) return std::nullopt;
  const auto it = contents_.find(node_.input(i));
  return it == contents_.end() ? std::nullopt : std::optional(it->second);
}

static std::string describe_operands(const Node& node) {
  std::string text;
  for (const Value* input : node.inputs())
    text += (text.empty() ? "" : ", ") +
            (input ? "'" + input->name() + "': " + input->type().to_string() : std::string("(absent)"));
  return text;
}

static Diagnostic node_error(const Node& node, std::string message, ErrorKind kind = ErrorKind::Mismatch) {
  Diagnostic d =
      error(kind, std::move(message)).at("node '" + node.origin() + "' (" + std::string(node.op().name) + ")");
  if (!node.inputs().empty()) d.note("operands: " + describe_operands(node));
  return d;
}

Diagnostic InferContext::error(std::string message) const { return node_error(node_, std::move(message)); }
Diagnostic InferContext::unsupported(std::string message) const {
  return node_error(node_, std::move(message), ErrorKind::Unsupported);
}

Result<int64_t> InferContext::axis(int64_t axis, int64_t rank) const {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  const std::string operand = has(0) ? in(0).to_string() : "rank " + std::to_string(rank);
  return error("axis " + std::to_string(axis) + " is out of range for " + operand);
}

// One dimension of a broadcast; nullopt if the two can never fit.
static std::optional<Dim> broadcast_dim(const Dim& a, const Dim& b) {
  if (a.is(1)) return b;
  if (b.is(1) || a == b) return a;
  if (a.is_constant() && b.is_constant()) return std::nullopt;
  if (a.is_constant()) return a;  // the other one must turn out to be equal or 1
  if (b.is_constant()) return b;
  return Dim::unknown();
}

Result<std::optional<Dims>> broadcast(const InferContext& context, const std::vector<const Type*>& operands) {
  if (std::any_of(operands.begin(), operands.end(), [](const Type* t) { return !t->ranked(); }))
    return std::optional<Dims>();
  Dims result;
  for (const Type* operand : operands) {
    const Dims before = result;
    Dims dims = *operand->dims;
    if (dims.size() > result.size()) std::swap(dims, result);
    const size_t shift = result.size() - dims.size();
    for (size_t i = 0; i < dims.size(); ++i) {
      auto dim = broadcast_dim(result[shift + i], dims[i]);
      if (!dim) return context.error("cannot broadcast " + to_string(*operand->dims) + " against " + to_string(before));
      result[shift + i] = *std::move(dim);
    }
  }
  return std::optional(std::move(result));
}

// ---- the engine ---------------------------------------------------------------------------------------------------

namespace {

bool has_type(const Value* value) { return !value || !value->type().is_tensor() || value->dtype() != DType::Undefined; }

std::string names_of(TypeSet set) {
  std::string text;
  for (int i = 1; i <= static_cast<int>(DType::Int2); ++i)
    if (allows(set, static_cast<DType>(i)))
      text += (text.empty() ? "" : ", ") + std::string(name_of(static_cast<DType>(i)));
  return text;
}

// Operands that share a type variable of the record must be of one type.
void check_variables(const Node& node, Diagnostics& found) {
  std::map<std::string_view, size_t> first;  // operand that fixed the variable
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Value* input = node.input(i);
    const OperandDef& operand = node.op().input(i);
    if (operand.variable.empty() || !input || !input->type().is_tensor() || input->dtype() == DType::Undefined)
      continue;
    const size_t other = first.emplace(operand.variable, i).first->second;
    if (node.input(other)->dtype() == input->dtype()) continue;
    found.push_back(
        node_error(node, "input '" + std::string(operand.name) + "' is " + std::string(name_of(input->dtype())) +
                             " but '" + std::string(node.op().input(other).name) + "' is " +
                             std::string(name_of(node.input(other)->dtype())) + ": they must be of one type"));
  }
}

Diagnostics check_count(const Node& node) {
  const OpDef& op = node.op();
  Diagnostics found;
  if (node.inputs().size() > op.max_inputs())
    found.push_back(node_error(node, "has " + std::to_string(node.inputs().size()) + " inputs, at most " +
                                         std::to_string(op.max_inputs()) + " are allowed"));
  for (size_t i = 0; i < std::max(op.min_inputs(), node.inputs().size()); ++i)
    if (!node.input(i) && !op.input(i).optional && (!op.input(i).variadic || i < node.inputs().size()))
      found.push_back(node_error(node, "required input '" + std::string(op.input(i).name) + "' is missing"));
  return found;
}

// What every record relies on: its required operands are there and have types it allows.
Diagnostics check_operands(const Node& node) {
  const OpDef& op = node.op();
  Diagnostics found = check_count(node);
  if (!found.empty()) return found;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Value* input = node.input(i);
    const TypeSet allowed = op.input(i).types;
    if (!input || allowed == kAnyType || !has_type(input)) continue;
    if (input->type().is_tensor() && allows(allowed, input->dtype())) continue;
    const std::string is = input->type().is_tensor() ? std::string(name_of(input->dtype())) : input->type().to_string();
    found.push_back(node_error(
        node, "input '" + std::string(op.input(i).name) + "' is " + is + ", allowed are " + names_of(allowed),
        ErrorKind::Unsupported));
  }
  if (found.empty()) check_variables(node, found);
  return found;
}

// ---- states of a Loop ---------------------------------------------------------------------------------------------

void collect_types(const Graph& graph, std::vector<std::pair<Value*, Type>>& types) {
  for (Value* input : graph.inputs()) types.emplace_back(input, input->type());
  for (const Node* node : graph.nodes()) {
    for (Value* output : node->outputs())
      if (output) types.emplace_back(output, output->type());
    for (const Graph* subgraph : node->subgraphs()) collect_types(*subgraph, types);
  }
}

// Of all values that are computed in a graph and in its subgraphs.
std::vector<std::pair<Value*, Type>> types_in(const Graph& graph) {
  std::vector<std::pair<Value*, Type>> types;
  collect_types(graph, types);
  return types;
}

// Those of whose shape the body says less than what they begin with. Operand i of the Loop is input i of its body,
// whose output i - 1 is what the next iteration gets.
class States {
 public:
  States(const Node& loop, const Graph& body) {
    const size_t count = std::min({loop.inputs().size(), body.inputs().size(), body.outputs().size() + 1});
    for (size_t i = 2; i < count; ++i) {
      const Value* first = loop.input(i);
      if (!first || !first->type().is_tensor() || !first->type().ranked()) continue;
      const std::optional<Type> assumed = merge(body.inputs()[i]->type(), first->type());
      if (assumed && !(*assumed == body.inputs()[i]->type()))
        states_.push_back({body.inputs()[i], body.outputs()[i - 1], *assumed});
    }
  }

  bool empty() const { return states_.empty(); }
  void assume() const {
    for (const State& s : states_) s.in->set_type(s.type);
  }
  bool hold() const {
    return std::ranges::all_of(states_, [](const State& s) { return s.holds(); });
  }
  // Forgets the extents that change. False if a state may be of any rank.
  bool widen() {
    for (State& s : states_) {
      const Type& next = s.out->type();
      if (!next.is_tensor() || !next.ranked() || next.rank() != s.type.rank()) return false;
      for (size_t d = 0; d < s.type.dims->size(); ++d)
        if (!((*next.dims)[d] == (*s.type.dims)[d])) (*s.type.dims)[d] = Dim::unknown();
    }
    return true;
  }

 private:
  struct State {
    Value* in;
    const Value* out;
    Type type;  // assumed
    bool holds() const {
      const Type& next = out->type();
      if (!next.is_tensor() || !next.ranked() || next.rank() != type.rank()) return false;
      for (size_t d = 0; d < type.dims->size(); ++d)
        if ((*type.dims)[d].is_known() && !((*next.dims)[d] == (*type.dims)[d])) return false;
      return true;
    }
  };
  std::vector<State> states_;
};

class Inference {
 public:
  void infer_graph(const Graph& graph) {
    for (const Value* input : graph.inputs())
      if (const auto problem = input->type().size_problem())
        diagnostics_.push_back(error(ErrorKind::Mismatch, *problem).at("input '" + input->name() + "'"));
    for (Node* node : graph.nodes()) infer_node(*node);
  }

  void infer_node(Node& node) {
    infer_subgraphs(node);
    if (!node.op().infer) return;  // declared types are all there is
    // An operand without a type has been reported at its producer; guessing on would only add noise.
    if (!std::all_of(node.inputs().begin(), node.inputs().end(), has_type)) return;
    if (Diagnostics found = check_operands(node); !found.empty()) return report(std::move(found));
    const InferContext context(node, contents_);
    Result<Types> types = node.op().infer(context);
    if (!types.ok()) return report(std::move(types).diagnostics());
    if (merge_outputs(node, *types)) propagate(node, context);
  }

  // The contents of a lone node's operands, found by looking back along their producers.
  void look_back(const Node& node) {
    constexpr int kDepth = 16;  // shape arithmetic is a short chain: Shape, Gather, Mul, Concat
    for (const Value* input : node.inputs()) look_back(input, kDepth);
  }

  Result<Types> infer_alone(const Node& node) {
    look_back(node);
    return node.op().infer(InferContext(node, contents_));
  }

  Status status() { return status_of(std::move(diagnostics_)); }

 private:
  void look_back(const Value* value, int depth) {
    constexpr size_t kMostValues = 512;  // a value may be reached on many ways, and there may be very many values
    if (!value || !value->producer() || depth == 0 || !is_integer(value->dtype())) return;
    if (looked_at_.size() == kMostValues || !looked_at_.insert(value).second) return;
    for (const Value* input : value->producer()->inputs()) look_back(input, depth - 1);
    propagate(*value->producer(), InferContext(*value->producer(), contents_));
  }

  void infer_subgraphs(Node& node) {
    const std::vector<Graph*> subgraphs = node.subgraphs();
    if (subgraphs.empty()) return;
    if (node.op().body_inputs && std::all_of(node.inputs().begin(), node.inputs().end(), has_type))
      bind_body_inputs(node, *subgraphs[0]);
    if (subgraphs.size() > 1) return infer_branches(subgraphs);
    if (!node.is(ops::Loop) || !infer_with_states(node, *subgraphs[0])) infer_graph(*subgraphs[0]);
  }

  // A Loop whose body does not say the shapes of its states: they are tried as they begin, then without the extents
  // that an iteration changes. True where what an iteration gives fits what it took; else nothing is changed.
  bool infer_with_states(const Node& loop, const Graph& body) {
    States states(loop, body);
    for (; !states.empty() && trials_left_ > 0; --trials_left_) {
      const std::vector<std::pair<Value*, Type>> before = types_in(body);
      states.assume();
      Diagnostics outer = std::exchange(diagnostics_, {});
      infer_graph(body);
      const bool valid = std::exchange(diagnostics_, std::move(outer)).empty();
      if (valid && states.hold()) return true;
      const bool again = valid && states.widen();
      for (const auto& [value, type] : before) {
        value->set_type(type);
        contents_.erase(value);
      }
      if (!again) return false;
    }
    return false;
  }

  // A branch that cannot work on these operands is an error only if no other can: exporters write If with branches
  // that are never taken. What the working branch returns then stands for both.
  void infer_branches(const std::vector<Graph*>& branches) {
    Diagnostics all;
    std::vector<const Graph*> working, broken;
    for (const Graph* branch : branches) {
      Diagnostics outer = std::exchange(diagnostics_, {});
      infer_graph(*branch);
      (diagnostics_.empty() ? working : broken).push_back(branch);
      Diagnostics found = std::exchange(diagnostics_, std::move(outer));
      std::move(found.begin(), found.end(), std::back_inserter(all));
    }
    if (working.empty()) return report(std::move(all));
    for (const Graph* branch : broken)
      for (size_t i = 0; i < std::min(branch->outputs().size(), working[0]->outputs().size()); ++i)
        branch->outputs()[i]->set_type(working[0]->outputs()[i]->type());
  }

  void bind_body_inputs(Node& node, const Graph& body) {
    if (Diagnostics found = check_operands(node); !found.empty()) return;  // infer_node reports it
    const Types types = node.op().body_inputs(InferContext(node, contents_));
    for (size_t i = 0; i < std::min(types.size(), body.inputs().size()); ++i)
      merge_into(node, *body.inputs()[i], types[i], "the body's input");
  }

  bool merge_outputs(const Node& node, const Types& types) {
    bool fits = true;
    for (size_t i = types.size(); i < node.outputs().size(); ++i) {
      if (!node.output(i)) continue;
      fits = false;
      diagnostics_.push_back(
          node_error(node, "output '" + node.output(i)->name() + "' is one that it does not compute"));
    }
    for (size_t i = 0; i < std::min(types.size(), node.outputs().size()); ++i)
      if (Value* output = node.output(i)) fits &= merge_into(node, *output, types[i], "output");
    return fits;
  }

  // The one place where a type that no tensor can have is found out.
  bool merge_into(const Node& node, Value& value, const Type& inferred, const std::string& role) {
    const bool undeclared = value.type().is_tensor() && value.dtype() == DType::Undefined && !value.type().ranked();
    const std::optional<Type> merged = undeclared ? inferred : merge(value.type(), inferred);
    const std::string what = role + " '" + value.name() + "' ";
    if (!merged) {
      diagnostics_.push_back(node_error(node, what + "is declared as " + value.type().to_string() +
                                                  " but the operands give " + inferred.to_string()));
    } else if (const auto problem = merged->size_problem()) {
      diagnostics_.push_back(node_error(node, what + "cannot be: " + *problem));
    } else {
      value.set_type(*merged);
      return true;
    }
    return false;
  }

  void propagate(const Node& node, const InferContext& context) {
    if (auto contents = computed_contents(context)) contents_.insert_or_assign(node.output(0), *std::move(contents));
  }

  void report(Diagnostics found) { std::move(found.begin(), found.end(), std::back_inserter(diagnostics_)); }

  InferContext::Contents contents_;
  std::unordered_set<const Value*> looked_at_;
  Diagnostics diagnostics_;
  int trials_left_ =
      256;  // of bodies: loops that fail inside of loops that fail would double the work with each of them
};

Type bind_type(Type type, const std::map<std::string, int64_t>& values) {
  if (type.element) type.element = std::make_shared<const Type>(bind_type(*type.element, values));
  if (type.dims)
    for (Dim& d : *type.dims) d = d.bind(values);
  return type;
}

// A computed type without what its formulas said.
Type constants_of(Type type) {
  if (type.element) type.element = std::make_shared<const Type>(constants_of(*type.element));
  if (type.dims)
    for (Dim& d : *type.dims)
      if (!d.is_constant()) d = Dim::unknown();
  return type;
}

// Formulas of computed values rest on assumptions (a slice begins within its axis) that the numbers may disprove, so
// the inputs are bound and the rest is inferred anew; what the formulas say only fills what inference leaves open.
class Binding {
 public:
  Binding(Graph& graph, const std::map<std::string, int64_t>& values) : graph_(graph) {
    for (Value* input : graph.inputs()) input->set_type(bind_type(input->type(), values));
    forget_computed(graph, values);
  }

  Status infer() {
    LAPIS_CHECK(infer_types(graph_));
    bool filled = false;
    for (const auto& [value, type] : formulas_) filled |= fill(*value, type);
    return filled ? infer_types(graph_) : ok();
  }

 private:
  void forget_computed(const Graph& graph, const std::map<std::string, int64_t>& values) {
    for (Node* node : graph.nodes()) {
      for (Value* output : node->outputs())
        if (output) forget(*output, values);
      for (const Graph* subgraph : node->subgraphs()) {
        for (Value* input : subgraph->inputs()) forget(*input, values);
        forget_computed(*subgraph, values);
      }
    }
  }

  void forget(Value& value, const std::map<std::string, int64_t>& values) {
    formulas_.emplace_back(&value, bind_type(value.type(), values));
    value.set_type(constants_of(value.type()));
  }

  static bool fill(Value& value, const Type& formula) {
    if (!value.type().is_tensor() || !formula.is_tensor() || !formula.dims ||
        value.type().ranked() != formula.ranked() || value.type().rank() != formula.rank())
      return false;
    Type type = value.type();
    for (size_t i = 0; i < type.dims->size(); ++i) {
      const Dim& says = (*formula.dims)[i];
      if (!(*type.dims)[i].is_known() && says.is_known() && (!says.is_constant() || says.value() >= 0))
        (*type.dims)[i] = says;
    }
    const bool changed = !(type == value.type());
    if (changed) value.set_type(std::move(type));
    return changed;
  }

  Graph& graph_;
  std::vector<std::pair<Value*, Type>> formulas_;
};

std::string input_names(const Graph& graph) {
  std::string text;
  for (const Value* input : graph.inputs())
    text += (text.empty() ? "'" : ", '") + input->name() + "' " + input->type().to_string();
  return text.empty() ? "none" : text;
}

// Reads the symbols' values off one input's shape: dimension "N" given as 4 means N = 4.
Diagnostics solve_symbols(const Value& input, const Shape& shape, std::map<std::string, int64_t>& values) {
  Diagnostics found;
  auto contradiction = [&] {
    return error(ErrorKind::Mismatch,
                 "shape " + to_string(shape) + " contradicts the model's type " + input.type().to_string())
        .at("input '" + input.name() + "'")
        .help("give it a shape that fits this type; names stand for any number");
  };
  if (!input.type().is_tensor())
    return {error(ErrorKind::Mismatch, "only tensors can be given a shape").at("input '" + input.name() + "'")};
  if (!input.type().ranked()) return found;
  if (input.type().rank() != static_cast<int64_t>(shape.size())) return {contradiction()};
  for (size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = (*input.type().dims)[i];
    const bool lone_symbol = dim.is_known() && dim.symbols().size() == 1 && dim == Dim::symbol(dim.symbols()[0]);
    if (lone_symbol) values.emplace(dim.symbols()[0], shape[i]);
    const Dim bound = dim.bind(values);
    if (shape[i] < 0 || (bound.is_constant() && !bound.is(shape[i]))) {
      Diagnostic d = contradiction();
      if (!dim.is_constant()) d.note("dimension " + dim.to_string() + " is " + bound.to_string() + " elsewhere");
      found.push_back(std::move(d));
      break;
    }
  }
  return found;
}

}  // namespace

Status infer_types(Graph& graph) {
  Inference inference;
  inference.infer_graph(graph);
  return inference.status();
}

Status infer_types(Node& node) {
  Inference inference;
  inference.look_back(node);
  inference.infer_node(node);
  return inference.status();
}

Result<Types> types_without_declarations(const Node& node) { return Inference().infer_alone(node); }

Status bind_symbols(Graph& graph, const std::map<std::string, int64_t>& values) {
  const std::vector<std::string> known = free_symbols(graph);
  Diagnostics found;
  for (const auto& [name, value] : values) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      found.push_back(error(ErrorKind::Mismatch, "the model has no symbolic dimension '" + name + "'")
                          .note("inputs: " + input_names(graph))
                          .help("use one of the names in these types"));
    if (value < 0)
      found.push_back(error(ErrorKind::Mismatch, "dimension '" + name + "' cannot be " + std::to_string(value)));
  }
  LAPIS_CHECK(status_of(std::move(found)));
  return Binding(graph, values).infer();
}

Status bind_shapes(Graph& graph, const std::map<std::string, Shape>& shapes) {
  std::map<std::string, int64_t> values;
  Diagnostics found;
  for (const auto& [name, shape] : shapes) {
    const auto it = std::find_if(graph.inputs().begin(), graph.inputs().end(),
                                 [&name = name](const Value* v) { return v->name() == name; });
    if (it == graph.inputs().end()) {
      found.push_back(error(ErrorKind::Mismatch, "the model has no input '" + name + "'")
                          .help("its inputs are " + input_names(graph)));
      continue;
    }
    for (Diagnostic& d : solve_symbols(**it, shape, values)) found.push_back(std::move(d));
  }
  LAPIS_CHECK(status_of(std::move(found)));
  Binding binding(graph, values);
  for (Value* input : graph.inputs())
    if (const auto it = shapes.find(input->name()); it != shapes.end())
      input->set_type(Type::tensor(input->dtype(), it->second));
  return binding.infer();
}

std::vector<std::string> free_symbols(const Graph& graph) {
  std::set<std::string> names;
  for (const Value* input : graph.inputs()) {
    const Type* type = &input->type();
    while (type->element) type = type->element.get();
    if (!type->dims) continue;
    for (const Dim& d : *type->dims)
      for (std::string& s : d.symbols()) names.insert(std::move(s));
  }
  return {names.begin(), names.end()};
}

}  // namespace lapis
