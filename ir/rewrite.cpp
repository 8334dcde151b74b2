#include "ir/rewrite.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <unordered_set>
#include <utility>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "ir/printer.h"
#include "ir/structure.h"

namespace lapis {

// Nodes still to be visited, first in first out; a node knows its place, so that it can be taken off.
class Worklist {
 public:
  Worklist() = default;
  Worklist(const Worklist&) = delete;
  Worklist& operator=(const Worklist&) = delete;
  ~Worklist() {
    while (pop()) {
    }
  }

  void push(Node* node) {
    if (node->waiting_) return;
    queue_.push_back(node);
    node->waiting_ = gone_ + queue_.size();
  }
  void forget(Node* node) {
    if (node->waiting_) queue_[std::exchange(node->waiting_, 0) - gone_ - 1] = nullptr;
  }
  Node* pop() {
    while (!queue_.empty()) {
      Node* node = queue_.front();
      queue_.pop_front();
      ++gone_;
      if (!node) continue;
      node->waiting_ = 0;
      return node;
    }
    return nullptr;
  }
  void push_all(Graph& graph) {
    for (Node* node : graph.nodes()) {
      for (Graph* subgraph : node->subgraphs()) push_all(*subgraph);
      push(node);
    }
  }

 private:
  std::deque<Node*> queue_;  // null: taken off
  size_t gone_ = 0;          // places before the queue
};

Result<Tensor> evaluate_op(const OpDef& op, std::vector<Tensor> inputs, Attributes attributes) {
  Graph scratch("constant");
  std::vector<Value*> values;
  values.reserve(inputs.size());
  for (Tensor& tensor : inputs) values.push_back(tensor.defined() ? scratch.add_constant(std::move(tensor)) : nullptr);
  std::vector<const Tensor*> tensors;
  tensors.reserve(values.size());
  for (const Value* v : values) tensors.push_back(v ? &v->constant() : nullptr);
  Node* node = scratch.add_node(op, values, std::move(attributes));
  LAPIS_CHECK(infer_types(*node));
  LAPIS_TRY(std::vector<Tensor> results, evaluate_node(*node, tensors));
  return std::move(results[0]);
}

Rewriter::~Rewriter() noexcept(false) {
  if (!std::uncaught_exceptions()) take_back();  // a graph that a bug left behind is not touched any more
}

// ---- adding ---------------------------------------------------------------------------------------------------------

std::string Rewriter::stem() const {
  LAPIS_ASSERT(at_, "rule '" << rule_ << "' adds to the graph after it replaced its root");
  return at_->output() ? at_->output()->name() : at_->name();
}

void Rewriter::cannot_be(std::string reason) {
  if (!impossible_) impossible_ = "it would make what cannot be: " + std::move(reason);
}

Node* Rewriter::add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, size_t outputs) {
  Node* node =
      graph_.add_node(op, std::move(inputs), std::move(attributes), std::vector<std::string>(outputs, stem()), at_);
  node->set_origin(at_->origin());
  added_.push_back(node);
  is_added_.insert(node);
  if (worklist_) {
    worklist_->push(node);
    for (Graph* subgraph : node->subgraphs()) worklist_->push_all(*subgraph);
  }
  if (!impossible_)
    if (const Status inferred = infer_types(*node); !inferred.ok()) cannot_be(inferred.diagnostics()[0].message);
  if (impossible_ && at_->output())
    for (Value* output : node->outputs()) output->set_type(at_->output()->type());
  return node;
}

Value* Rewriter::add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes) {
  return add_node(op, std::move(inputs), std::move(attributes), 1)->output();
}

Value* Rewriter::constant(Tensor tensor) {
  return constants_.emplace_back(graph_.add_constant(std::move(tensor), stem() + "_c"));
}

Value* Rewriter::scalar(double value, DType dtype) {
  if (dtype == DType::Float32) return constant(Tensor::scalar(static_cast<float>(value)));
  Result<Tensor> cast = evaluate_op(ops::Cast, {Tensor::scalar(value)}, {{"to", static_cast<int64_t>(dtype)}});
  if (!cast.ok()) cannot_be("a number of type " + std::string(name_of(dtype)));
  return constant(cast.ok() ? *std::move(cast) : Tensor::scalar(value));
}

Value* Rewriter::fold(const OpDef& op, const std::vector<Value*>& constants, Attributes attributes) {
  if (impossible_) return constants[0];
  std::vector<Tensor> tensors;
  tensors.reserve(constants.size());
  for (const Value* c : constants) tensors.push_back(c ? c->constant() : Tensor());
  Result<Tensor> result = evaluate_op(op, std::move(tensors), std::move(attributes));
  if (result.ok()) return constant(*std::move(result));
  cannot_be(std::string(op.name) + ": " + result.diagnostics()[0].message);
  return constants[0];
}

Value* Rewriter::reshape(Value* value, Shape shape) {
  if (impossible_) return value;
  const Tensor& tensor = value->constant();
  int64_t known = 1;
  for (int64_t d : shape) known *= d == -1 ? 1 : d;
  for (int64_t& d : shape)
    if (d == -1) d = tensor.size() / std::max<int64_t>(known, 1);
  if (shape == tensor.shape()) return value;
  if (element_count(shape) == tensor.size()) return constant(tensor.reshaped(std::move(shape)));
  cannot_be(to_string(tensor.shape()) + " as " + to_string(shape));
  return value;
}

// ---- replacing ------------------------------------------------------------------------------------------------------

bool Rewriter::can_take_name(const Value& y, const Value& with) const {
  return with.producer() && &with.graph() == &y.graph() && !with.is_graph_output();
}

// A graph output's name is the model's interface: it moves to the new value.
Value* Rewriter::named_like(Value& y, Value* with) {
  const bool fresh = is_added_.contains(with->producer());
  if (!y.is_graph_output() && !fresh) return with;
  if (!can_take_name(y, *with)) {
    const bool is_identity = y.producer()->is(ops::Identity) && y.producer()->input(0) == with;
    return is_identity ? &y : named_like(y, add(ops::Identity, {with}));
  }
  std::string name = y.name();
  graph_.rename(&y, name + "_old");
  graph_.rename(with, std::move(name));
  if (fresh && std::exchange(named_after_, y.producer()) != y.producer())
    with->producer()->set_name(y.producer()->name());
  return with;
}

// A node that was kept from matching because the value had two uses.
void Rewriter::touch_user(const Value& value) {
  if (worklist_ && value.uses().size() == 1) worklist_->push(value.uses()[0].node);
}

bool Rewriter::replace(const std::vector<Replacement>& replacements) {
  for (const auto& [y, with] : replacements)
    if (!merge(with->type(), y->type()))
      cannot_be(with->type().to_string() + " in the place of '" + y->name() + "', which is " + y->type().to_string());
  if (impossible_) return take_back(), false;
  bool changed = false;
  for (const auto& [y, with] : replacements) changed |= replace_one(*y, with);
  if (changed) keep();
  return changed;
}

bool Rewriter::replace_one(Value& y, Value* with) {
  if (y.unused()) return false;  // dead already; its node may live on for another output
  Node* old = y.producer();
  const Type type = *merge(with->type(), y.type());
  const Explanation done =
      explain_ ? Explanation{std::string(rule_), location_of(*old), true, print(*old)} : Explanation{};
  with = named_like(y, with);
  if (with == &y) return false;
  if (explain_) (*explain_)(done);
  if (with->producer()) with->set_type(type);
  if (worklist_)
    for (const Use& use : y.uses()) worklist_->push(use.node);
  graph_.replace_all_uses(&y, with);
  touch_user(*with);
  if (worklist_ && with->producer()) worklist_->push(with->producer());
  leave_origins(erase_dead(old));
  return true;
}

static bool is_dead(const Node& node) {
  return std::all_of(node.outputs().begin(), node.outputs().end(), [](const Value* v) { return !v || v->unused(); });
}

void Rewriter::forget(Node* node) {
  if (node == at_) at_ = nullptr;
  if (!worklist_) return;
  worklist_->forget(node);
  for (Graph* subgraph : node->subgraphs())
    for_each_graph(*subgraph, [&](Graph& g) {
      for (Node* inner : g.nodes()) worklist_->forget(inner);
    });
}

// `node` if nobody needs it, and then whoever it alone needed. Returns their origins.
std::vector<std::string> Rewriter::erase_dead(Node* node) {
  std::vector<std::string> origins;
  std::vector<Node*> candidates = {node};
  std::unordered_set<Node*> waiting = {node};  // the same, to look them up
  while (!candidates.empty()) {
    Node* dead = candidates.back();
    candidates.pop_back();
    waiting.erase(dead);
    if (!is_dead(*dead) || is_added_.contains(dead)) continue;
    origins.push_back(dead->origin());
    const std::vector<Value*> operands = dead->inputs();
    forget(dead);
    graph_.erase(dead);
    for (Value* operand : operands) {
      if (!operand) continue;
      touch_user(*operand);
      Node* producer = operand->producer();
      if (!producer || &operand->graph() != &graph_) continue;
      if (worklist_) worklist_->push(producer);
      if (waiting.insert(producer).second) candidates.push_back(producer);
    }
  }
  return origins;
}

// What was added is part of the graph now.
void Rewriter::keep() {
  changed_ = true;
  revision_ = graph_.revision();
  added_.clear();
  is_added_.clear();
  constants_.clear();
}

// What was added for nothing, the last first, so that it is unused; explains why if it could not be.
void Rewriter::take_back() {
  if (impossible_ && explain_ && at_)
    (*explain_)({std::string(rule_), location_of(*at_), false, *std::exchange(impossible_, std::nullopt)});
  if (added_.empty() && constants_.empty()) return;
  for (; !added_.empty(); added_.pop_back()) {
    forget(added_.back());
    graph_.erase(added_.back());
  }
  is_added_.clear();
  for (Value* constant : std::exchange(constants_, {})) graph_.erase(constant);
  graph_.restore_revision(revision_);
}

// The added nodes stand for all that disappeared, named in the order of the graph: "Conv_1 + BatchNorm_2". Origins that
// were united before count by their names, or one that takes in node after node would grow for ever.
void Rewriter::leave_origins(std::vector<std::string> origins) {
  constexpr size_t kMost = 16;  // a folded cluster is not a useful place
  constexpr std::string_view kPlus = " + ";
  if (added_.empty() || origins.empty()) return;
  std::reverse(origins.begin(), origins.end());
  std::string merged;
  std::unordered_set<std::string_view> seen;
  for (std::string_view left : origins)
    while (!left.empty() && seen.size() < kMost) {
      const std::string_view name = left.substr(0, left.find(kPlus));
      left.remove_prefix(std::min(left.size(), name.size() + kPlus.size()));
      if (seen.insert(name).second) merged.append(merged.empty() ? "" : kPlus).append(name);
    }
  for (Node* node : added_) node->set_origin(merged);
}

bool Rewriter::skip(const Value& y, std::string reason) {
  if (explain_ && y.producer()) (*explain_)({std::string(rule_), location_of(*y.producer()), false, std::move(reason)});
  return false;
}

// ---- the driver -----------------------------------------------------------------------------------------------------

RewriteBudget::RewriteBudget(const Graph& graph) : left_(1000 + 256 * total_node_count(graph)) {}

namespace {

class Driver {
 public:
  Driver(Graph& graph, std::span<const Rule> rules, const RewriteOptions& options)
      : graph_(graph), options_(options), own_(graph), budget_(options.budget ? *options.budget : own_) {
    for (const Rule& rule : rules)
      if (!options.disabled_rules.contains(rule.name)) rules_.push_back(rule);
    worklist_.push_all(graph);
  }

  size_t run() {
    while (Node* node = worklist_.pop()) {
      if (budget_.exhausted()) return stop();
      visit(*node);
    }
    return applied_;
  }

 private:
  // A rule that changes something may erase the node, which takes it off the worklist; otherwise it is visited again.
  void visit(Node& node) {
    worklist_.push(&node);
    for (size_t i = 0; i < node.outputs().size(); ++i)
      for (const Rule& rule : rules_)
        if (!node.output(i))
          break;
        else if (apply(rule, node, *node.output(i)))
          return;
    worklist_.forget(&node);
  }

  bool apply(const Rule& rule, Node& node, Value& y) {
    Rewriter rewriter(node, rule.name, &options_.explain, &worklist_);
    rule.apply(y, rewriter);
    if (!rewriter.changed()) return false;
    ++applied_;
    budget_.spend();
    recent_.push_back(rule.name);
    if (recent_.size() > 8) recent_.pop_front();
    return true;
  }

  size_t stop() {
    std::set<std::string_view> names(recent_.begin(), recent_.end());
    std::string text;
    for (std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    if (options_.explain)
      options_.explain({"rewriting", "graph '" + graph_.name() + "'", false,
                        "stopped after " + std::to_string(applied_) +
                            " applications, the graph is valid as it is: these rules undo each other: " + text});
    return applied_;
  }

  Graph& graph_;
  const RewriteOptions& options_;
  RewriteBudget own_;
  RewriteBudget& budget_;
  size_t applied_ = 0;
  std::vector<Rule> rules_;
  std::deque<std::string_view> recent_;
  Worklist worklist_;
};

}  // namespace

size_t apply_rules(Graph& graph, std::span<const Rule> rules, const RewriteOptions& options) {
  const size_t applied = Driver(graph, rules, options).run();
  if (applied) for_each_graph(graph, [](Graph& g) { g.erase_unused_constants(); });
  return applied;
}

}  // namespace lapis
