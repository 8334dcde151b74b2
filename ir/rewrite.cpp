#include "ir/rewrite.h"

#include <algorithm>
#include <deque>
#include <unordered_set>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "ir/printer.h"
#include "ir/structure.h"

namespace lapis {

// Nodes still to be visited, first in first out. An erased node is forgotten; a pointer left in the queue is never
// followed.
class Worklist {
 public:
  void push(Node* node) {
    if (waiting_.insert(node).second) queue_.push_back(node);
  }
  void forget(Node* node) { waiting_.erase(node); }
  Node* pop() {
    while (!queue_.empty()) {
      Node* node = queue_.front();
      queue_.pop_front();
      if (waiting_.erase(node)) return node;
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
  std::deque<Node*> queue_;
  std::unordered_set<Node*> waiting_;
};

Result<Tensor> evaluate_op(const OpDef& op, std::vector<Tensor> inputs, Attributes attributes) {
  Graph scratch("constant");
  std::vector<Value*> values;
  for (Tensor& tensor : inputs) values.push_back(tensor.defined() ? scratch.add_constant(std::move(tensor)) : nullptr);
  std::vector<const Tensor*> tensors;
  for (const Value* v : values) tensors.push_back(v ? &v->constant() : nullptr);
  Node* node = scratch.add_node(op, values, std::move(attributes));
  LAPIS_CHECK(infer_types(*node));
  LAPIS_TRY(std::vector<Tensor> results, evaluate_node(*node, tensors));
  return std::move(results[0]);
}

// ---- adding ---------------------------------------------------------------------------------------------------------

std::string Rewriter::stem() const {
  LAPIS_ASSERT(at_, "rule '" << rule_ << "' adds to the graph after it replaced its root");
  return at_->output() ? at_->output()->name() : at_->name();
}

Node* Rewriter::add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, size_t outputs) {
  Node* node =
      graph_.add_node(op, std::move(inputs), std::move(attributes), std::vector<std::string>(outputs, stem()), at_);
  node->set_origin(at_->origin());
  const Status inferred = infer_types(*node);
  LAPIS_ASSERT(inferred.ok(), "rule '" << rule_ << "' built a node that cannot be: " << print(*node) << "\n"
                                       << to_string(inferred.diagnostics()));
  added_.push_back(node);
  if (worklist_) worklist_->push(node);
  return node;
}

Value* Rewriter::add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes) {
  return add_node(op, std::move(inputs), std::move(attributes), 1)->output();
}

Value* Rewriter::constant(Tensor tensor) { return graph_.add_constant(std::move(tensor), stem() + "_c"); }

Value* Rewriter::scalar(double value, DType dtype) {
  if (dtype == DType::Float32) return constant(Tensor::scalar(static_cast<float>(value)));
  const Result<Tensor> cast = evaluate_op(ops::Cast, {Tensor::scalar(value)}, {{"to", static_cast<int64_t>(dtype)}});
  LAPIS_ASSERT(cast.ok(), "no scalar of " << name_of(dtype));
  return constant(*cast);
}

Value* Rewriter::fold(const OpDef& op, const std::vector<Value*>& constants, Attributes attributes) {
  std::vector<Tensor> tensors;
  for (const Value* c : constants) tensors.push_back(c ? c->constant() : Tensor());
  Result<Tensor> result = evaluate_op(op, std::move(tensors), std::move(attributes));
  LAPIS_ASSERT(result.ok(), "rule '" << rule_ << "' folds " << op.name << ": " << to_string(result.diagnostics()));
  return constant(*std::move(result));
}

Value* Rewriter::reshape(Value* value, Shape shape) {
  const Tensor& tensor = value->constant();
  int64_t known = 1;
  for (int64_t d : shape) known *= d == -1 ? 1 : d;
  for (int64_t& d : shape)
    if (d == -1) d = tensor.size() / std::max<int64_t>(known, 1);
  return shape == tensor.shape() ? value : constant(tensor.reshaped(std::move(shape)));
}

// ---- replacing ------------------------------------------------------------------------------------------------------

bool Rewriter::can_take_name(const Value& y, const Value& with) const {
  return with.producer() && &with.graph() == &y.graph() && !with.is_graph_output();
}

// A graph output's name is the model's interface: it moves to the new value.
Value* Rewriter::named_like(Value& y, Value* with) {
  const bool fresh = std::find(added_.begin(), added_.end(), with->producer()) != added_.end();
  if (!y.is_graph_output() && !fresh) return with;
  if (!can_take_name(y, *with)) {
    const bool is_identity = y.producer()->is(ops::Identity) && y.producer()->input(0) == with;
    return is_identity ? &y : named_like(y, add(ops::Identity, {with}));
  }
  std::string name = y.name();
  graph_.rename(&y, name + "_old");
  graph_.rename(with, std::move(name));
  if (fresh) with->producer()->set_name(y.producer()->name());
  return with;
}

void Rewriter::touch_users(const Value& value) {
  if (!worklist_) return;
  for (const Use& use : value.uses()) worklist_->push(use.node);
}

bool Rewriter::replace(Value& y, Value* with) {
  const std::optional<Type> type = merge(with->type(), y.type());
  LAPIS_ASSERT(type, "rule '" << rule_ << "' replaces " << y.type().to_string() << " '" << y.name() << "' by "
                              << with->type().to_string());
  Node* old = y.producer();
  const Explanation done =
      explain_ ? Explanation{std::string(rule_), location_of(*old), true, print(*old)} : Explanation{};
  with = named_like(y, with);
  if (with == &y) return false;
  if (explain_) (*explain_)(done);
  if (with->producer()) with->set_type(*type);
  graph_.replace_all_uses(&y, with);
  touch_users(*with);
  if (worklist_ && with->producer()) worklist_->push(with->producer());
  leave_origins(erase_dead(old));
  return true;
}

bool Rewriter::replace_operand(Node& node, size_t index, Value* with) {
  Value* old = node.input(index);
  node.set_input(index, with);
  if (worklist_) worklist_->push(&node);
  if (!old) return true;
  touch_users(*old);
  if (old->producer() && &old->graph() == &graph_) erase_dead(old->producer());
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
  while (!candidates.empty()) {
    Node* dead = candidates.back();
    candidates.pop_back();
    if (!is_dead(*dead) || std::find(added_.begin(), added_.end(), dead) != added_.end()) continue;
    origins.push_back(dead->origin());
    const std::vector<Value*> operands = dead->inputs();
    forget(dead);
    graph_.erase(dead);
    for (Value* operand : operands) {
      if (!operand) continue;
      touch_users(*operand);  // it may be used once now
      Node* producer = operand->producer();
      if (!producer || &operand->graph() != &graph_) continue;
      if (worklist_) worklist_->push(producer);
      if (std::find(candidates.begin(), candidates.end(), producer) == candidates.end()) candidates.push_back(producer);
    }
  }
  return origins;
}

// The added nodes stand for all that disappeared, named in the order of the graph: "Conv_1 + BatchNorm_2".
void Rewriter::leave_origins(std::vector<std::string> origins) {
  constexpr size_t kMost = 8;  // a folded cluster is not a useful place
  if (added_.empty() || origins.empty()) return;
  std::reverse(origins.begin(), origins.end());
  std::string merged;
  size_t count = 0;
  std::set<std::string> seen;
  for (const std::string& origin : origins)
    if (seen.insert(origin).second && ++count <= kMost) merged += (merged.empty() ? "" : " + ") + origin;
  for (Node* node : added_) node->set_origin(merged);
}

bool Rewriter::skip(const Value& y, std::string reason) {
  if (explain_ && y.producer()) (*explain_)({std::string(rule_), location_of(*y.producer()), false, std::move(reason)});
  return false;
}

// ---- the driver -----------------------------------------------------------------------------------------------------

namespace {

class Driver {
 public:
  Driver(Graph& graph, std::span<const Rule> rules, const RewriteOptions& options)
      : options_(options), bound_(1000 + 64 * total_node_count(graph)) {
    for (const Rule& rule : rules)
      if (!options.disabled_rules.contains(rule.name)) rules_.push_back(rule);
    worklist_.push_all(graph);
  }

  size_t run() {
    while (Node* node = worklist_.pop()) visit(*node);
    return applied_;
  }

 private:
  // A rule that changes something may erase the node, which takes it off the worklist; otherwise it is visited again.
  void visit(Node& node) {
    worklist_.push(&node);
    for (size_t i = 0; i < node.outputs().size(); ++i)
      for (const Rule& rule : rules_) {
        if (!node.output(i)) break;
        Rewriter rewriter(node, rule.name, &options_.explain, &worklist_);
        if (rule.apply(*node.output(i), rewriter)) return count(rule);
      }
    worklist_.forget(&node);
  }

  void count(const Rule& rule) {
    recent_.push_back(rule.name);
    if (recent_.size() > 8) recent_.pop_front();
    LAPIS_ASSERT(++applied_ <= bound_, "rewriting does not terminate; the last rules were " << recent());
  }

  std::string recent() const {
    std::string text;
    for (std::string_view name : recent_) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
  }

  const RewriteOptions& options_;
  size_t bound_, applied_ = 0;
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
