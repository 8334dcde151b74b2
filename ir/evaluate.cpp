#include "ir/evaluate.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "ir/infer.h"

namespace lapis {

// ---- what records see ---------------------------------------------------------------------------------------------

const Tensor& EvalContext::in(size_t i) const {
  LAPIS_ASSERT(has(i), node_.op().name << " (node '" << node_.name() << "') has no input " << i);
  return *inputs_[i];
}

Tensor& EvalContext::out(size_t i, DType dtype, Shape shape) {
  set_out(i, Tensor(dtype, std::move(shape)));
  return outputs_[i];
}

void EvalContext::set_out(size_t i, Tensor tensor) {
  LAPIS_ASSERT(i < outputs_.size(), node_.op().name << " (node '" << node_.name() << "') has no output " << i);
  outputs_[i] = std::move(tensor);
}

static std::string place_of(const Node& node) {
  return "node '" + node.origin() + "' (" + std::string(node.op().name) + ")";
}

Diagnostic EvalContext::error(std::string message) const {
  return lapis::error(ErrorKind::Mismatch, std::move(message)).at(place_of(node_));
}
Diagnostic EvalContext::unsupported(std::string message) const {
  return lapis::error(ErrorKind::Unsupported, std::move(message)).at(place_of(node_));
}

// ---- the engine ---------------------------------------------------------------------------------------------------

// Inference has seen types, which leave sizes and contents open; here the operands are known. Evaluations rely on what
// a record checks in infer, so it checks again.
static Status check_operands(const Node& node, const std::vector<const Tensor*>& inputs) {
  if (!node.subgraphs().empty()) return ok();
  Graph scratch("operands");
  std::vector<Value*> operands;
  std::unordered_map<const Tensor*, Value*> constants;  // under their own names, which messages show
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value* operand = nullptr;
    if (inputs[i] && inputs[i]->defined()) {
      Value*& constant = constants[inputs[i]];
      if (!constant) constant = scratch.add_constant(*inputs[i], node.input(i)->name());
      operand = constant;
    }
    operands.push_back(operand);
  }
  Node* copy = scratch.add_node(node.op(), std::move(operands), node.attributes(),
                                std::vector<std::string>(node.outputs().size()), nullptr, node.name());
  copy->set_origin(node.origin());
  return infer_types(*copy);
}

// Results without elements where an axis is longer than anybody walks:
// a file of a few bytes can say so, and their shape is all there is.
static std::optional<std::vector<Tensor>> long_and_empty(const Node& node, const std::vector<const Tensor*>& inputs) {
  const auto is_long = [](const Shape& shape) {
    return std::ranges::any_of(shape, [](int64_t extent) { return extent > int64_t{1} << 24; });
  };
  if (!node.op().has(Trait::Pure) || !node.subgraphs().empty()) return std::nullopt;
  bool found = std::ranges::any_of(inputs, [&](const Tensor* t) { return t && is_long(t->shape()); });
  std::vector<Tensor> results(node.outputs().size());
  for (size_t i = 0; i < results.size(); ++i) {
    if (!node.output(i)) continue;
    const std::optional<Shape> shape = node.output(i)->type().static_shape();
    if (!shape || element_count(*shape) != 0) return std::nullopt;
    found = found || is_long(*shape);
    const DType dtype = node.output(i)->dtype();
    results[i] = dtype == DType::String ? Tensor::strings(*shape, {}) : Tensor(dtype, *shape);
  }
  return found ? std::optional(std::move(results)) : std::nullopt;
}

// One run of one graph: the tensors that are alive, and the run of the enclosing graph for values captured from there.
class ReferenceRun {
 public:
  ReferenceRun(const Graph& graph, const ReferenceRun* outer) : graph_(graph), outer_(outer) {}

  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) {
    LAPIS_ASSERT(inputs.size() == graph_.inputs().size(),
                 inputs.size() << " tensors for the inputs of '" << graph_.name() << "'");
    for (size_t i = 0; i < inputs.size(); ++i) tensors_[graph_.inputs()[i]] = inputs[i];
    plan_lifetimes();
    for (const Node* node : graph_.nodes()) {
      LAPIS_CHECK(run_node(*node));
      for (const Value* dead : dies_after_[node]) tensors_.erase(dead);
    }
    return outputs();
  }

  static Result<std::vector<Tensor>> run_alone(const Node& node, const std::vector<const Tensor*>& inputs,
                                               const ReferenceRun* scope) {
    if (!node.op().evaluate)
      return error(ErrorKind::Unsupported, "the operator cannot be evaluated").at(place_of(node));
    LAPIS_CHECK(check_operands(node, inputs));
    if (auto empty = long_and_empty(node, inputs)) return *std::move(empty);
    EvalContext context(node, inputs);
    context.scope_ = scope;
    LAPIS_CHECK(node.op().evaluate(context));
    for (size_t i = 0; i < node.outputs().size(); ++i)
      LAPIS_ASSERT(!node.output(i) || context.outputs_[i].defined(), place_of(node)
                                                                         << " did not compute its output " << i);
    return std::move(context.outputs_);
  }

  // Null if no enclosing run holds it.
  const Tensor* find(const Value* value) const {
    if (value->is_constant()) return &value->constant();
    if (const auto it = tensors_.find(value); it != tensors_.end()) return &it->second;
    return outer_ ? outer_->find(value) : nullptr;
  }

 private:
  // A tensor dies after the last node that reads it, be it from within a subgraph; results nobody reads die at once.
  void plan_lifetimes() {
    std::unordered_map<const Value*, const Node*> last;
    for (const Node* node : graph_.nodes()) {
      mark_reads(*node, node, last);
      for (const Value* output : node->outputs())
        if (output) last[output] = node;
    }
    for (const Value* output : graph_.outputs()) last.erase(output);
    for (const auto& [value, node] : last)
      if (&value->graph() == &graph_) dies_after_[node].push_back(value);
  }

  static void mark_reads(const Node& node, const Node* reader, std::unordered_map<const Value*, const Node*>& last) {
    for (const Value* input : node.inputs())
      if (input) last[input] = reader;
    for (const Graph* subgraph : node.subgraphs()) {
      for (const Node* inner : subgraph->nodes()) mark_reads(*inner, reader, last);
      for (const Value* output : subgraph->outputs()) last[output] = reader;
    }
  }

  Status run_node(const Node& node) {
    std::vector<const Tensor*> inputs;
    for (const Value* input : node.inputs()) {
      inputs.push_back(input ? find(input) : nullptr);
      LAPIS_ASSERT(!input || inputs.back(), place_of(node)
                                                << " reads '" << input->name()
                                                << "' which has no value: the graph is not in topological order");
    }
    LAPIS_TRY(std::vector<Tensor> results, run_alone(node, inputs, this));
    for (size_t i = 0; i < results.size(); ++i)
      if (node.output(i)) tensors_[node.output(i)] = std::move(results[i]);
    return ok();
  }

  Result<std::vector<Tensor>> outputs() const {
    std::vector<Tensor> results;
    for (const Value* output : graph_.outputs()) {
      const Tensor* tensor = find(output);
      if (!tensor)
        return error(ErrorKind::Unsupported, "output '" + output->name() + "' is computed outside of what is evaluated")
            .at("graph '" + graph_.name() + "'");
      results.push_back(*tensor);
    }
    return results;
  }

  const Graph& graph_;
  const ReferenceRun* outer_;
  std::unordered_map<const Value*, Tensor> tensors_;
  std::unordered_map<const Node*, std::vector<const Value*>> dies_after_;
};

Result<std::vector<Tensor>> EvalContext::run(const Graph& subgraph, const std::vector<Tensor>& inputs) const {
  return ReferenceRun(subgraph, scope_).run(inputs);
}

Result<std::vector<Tensor>> evaluate_node(const Node& node, const std::vector<const Tensor*>& inputs) {
  return ReferenceRun::run_alone(node, inputs, nullptr);
}

Result<std::vector<Tensor>> evaluate(const Graph& graph, const Feeds& feeds) {
  LAPIS_CHECK(status_of(check_feeds(graph, feeds)));
  std::vector<Tensor> inputs;
  for (const Value* input : graph.inputs()) inputs.push_back(feeds.at(input->name()));
  return ReferenceRun(graph, nullptr).run(inputs);
}

// ---- feeds --------------------------------------------------------------------------------------------------------

namespace {

Diagnostic feed_error(const std::string& name, std::string message) {
  return error(ErrorKind::Mismatch, std::move(message)).at("input '" + name + "'");
}

// `values` remembers what each symbol stood for in the inputs checked before.
std::optional<Diagnostic> check_feed(const Value& input, const Tensor& fed, std::map<std::string, int64_t>& values) {
  const Type& type = input.type();
  const std::string got = Type::of(fed).to_string();
  if (!type.is_tensor())
    return feed_error(input.name(), "the model wants " + type.to_string() + ", which a single tensor cannot be");
  if (type.dtype != DType::Undefined && type.dtype != fed.dtype())
    return feed_error(input.name(), "got " + got + ", the model wants " + type.to_string());
  if (!type.ranked()) return std::nullopt;
  if (type.rank() != fed.rank())
    return feed_error(input.name(), "got " + got + ", the model wants " + type.to_string());
  for (int64_t axis = 0; axis < fed.rank(); ++axis) {
    const Dim& dim = type.dim(axis);
    const std::vector<std::string> symbols = dim.symbols();
    if (symbols.size() == 1 && dim == Dim::symbol(symbols[0])) values.emplace(symbols[0], fed.dim(axis));
    const Dim bound = dim.bind(values);
    if (!bound.is_constant() || bound.is(fed.dim(axis))) continue;
    Diagnostic d = feed_error(input.name(), "got " + got + ", the model wants " + type.to_string());
    if (!dim.is_constant()) d.note("the feeds before give " + dim.to_string() + " = " + bound.to_string());
    return d;
  }
  return std::nullopt;
}

class ReferenceEvaluator : public Evaluator {
 public:
  Status load(const Graph& graph, const std::vector<std::string>& watched) override {
    graph_ = graph.clone();
    names_.clear();
    Diagnostics found;
    std::vector<Value*> outputs = graph_->outputs();
    for (const std::string& name : watched) {
      if (Value* value = graph_->find_value(name))
        outputs.push_back(value);
      else
        found.push_back(error(ErrorKind::Mismatch, "there is no value '" + name + "' to watch")
                            .at("graph '" + graph_->name() + "'"));
    }
    graph_->set_outputs(outputs);
    for (const Value* value : outputs) names_.push_back(value->name());
    return status_of(std::move(found));
  }

  Result<Feeds> run(const Feeds& feeds) override {
    LAPIS_ASSERT(graph_, "load() comes before run()");
    LAPIS_TRY(const std::vector<Tensor> tensors, evaluate(*graph_, feeds));
    Feeds results;
    for (size_t i = 0; i < tensors.size(); ++i) results[names_[i]] = tensors[i];
    return results;
  }

 private:
  std::unique_ptr<Graph> graph_;
  std::vector<std::string> names_;
};

}  // namespace

Diagnostics check_feeds(const Graph& graph, const Feeds& feeds) {
  Diagnostics found;
  std::string wanted;
  std::map<std::string, int64_t> values;
  for (const Value* input : graph.inputs()) {
    wanted += (wanted.empty() ? "'" : ", '") + input->name() + "' " + input->type().to_string();
    const auto fed = feeds.find(input->name());
    if (fed == feeds.end()) {
      found.push_back(feed_error(input->name(), "is not fed; the model wants " + input->type().to_string()));
    } else if (auto diagnostic = check_feed(*input, fed->second, values)) {
      found.push_back(*std::move(diagnostic));
    }
  }
  for (const auto& [name, tensor] : feeds) {
    const bool known = std::any_of(graph.inputs().begin(), graph.inputs().end(),
                                   [&name = name](const Value* v) { return v->name() == name; });
    if (!known)
      found.push_back(
          feed_error(name, "the model has no such input").note("inputs: " + (wanted.empty() ? "none" : wanted)));
  }
  return found;
}

std::unique_ptr<Evaluator> reference_evaluator() { return std::make_unique<ReferenceEvaluator>(); }

}  // namespace lapis
