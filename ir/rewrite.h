// Rewriting: rules of the form  lhs => rhs  and the worklist that applies them until nothing changes.
//
//   // Add(Conv(x, w), b) with b constant per channel  =>  Conv(x, w, b)
//   static bool bias_into_conv(Value& y, Rewriter& rw) {
//     Value *x, *w, *b;
//     Node* conv;
//     if (!match(y, commutative(ops::Add, once(op(ops::Conv, bind(x), bind(w)).as(conv)), constant(b)))) return false;
//     if (!is_per_channel(*b, y.type())) return rw.skip(y, "the added constant is not per channel");
//     return rw.replace(y, rw.add(ops::Conv, {x, w, rw.reshape(b, {-1})}, conv->attributes()));
//   }
//   constexpr Rule kRules[] = {{"fold.bias-into-conv", bias_into_conv}};
//   apply_rules(graph, kRules);
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "ir/op.h"

namespace lapis {

class Rewriter;
class Worklist;

struct Rule {
  std::string_view name;  // "fold.bias-into-conv": family, dot, what it does; used by explain and --disable-rule
  bool (*apply)(Value& y, Rewriter& rw);  // true if the graph changed; called with every present output of every node
};

// What a rule did, or why it did not: the material of `lapis explain`.
struct Explanation {
  std::string rule;
  std::string where;  // "node 'Conv_12' (Conv)"
  bool applied = false;
  std::string text;  // the reason of a skip; what was made of it otherwise
};
using ExplainSink = std::function<void(const Explanation&)>;

// Evaluates one operator on concrete tensors by the reference evaluator; output 0.
Result<Tensor> evaluate_op(const OpDef& op, std::vector<Tensor> inputs, Attributes attributes = {});

// Adds typed nodes before an insertion point and puts their values in the place of others.
//
// Nothing that cannot be stays in a graph: when an operator does not take the operands it is given, when constants
// cannot be computed, or when what is made has another type than what it replaces, the values handed out from then on
// are stand-ins, `replace` changes nothing and returns false, and the reason is explained. What was added and not used
// goes with the Rewriter.
class Rewriter {
 public:
  // Nodes are inserted before `at`; what it reads may be used by them.
  explicit Rewriter(Node& at, std::string_view rule = "", const ExplainSink* explain = nullptr,
                    Worklist* worklist = nullptr)
      : at_(&at),
        graph_(at.graph()),
        rule_(rule),
        explain_(explain && *explain ? explain : nullptr),
        worklist_(worklist),
        revision_(graph_.revision()) {}
  ~Rewriter() noexcept(false);
  Rewriter(const Rewriter&) = delete;
  Rewriter& operator=(const Rewriter&) = delete;

  // A node with one output, its type inferred.
  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {});
  template <class T>
  requires requires { T::fields; }
  Value* add(const OpDef& op, std::vector<Value*> inputs, const T& attributes) {
    return add(op, std::move(inputs), encode_attributes(attributes));
  }
  Node* add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, size_t outputs);

  Value* constant(Tensor tensor);
  Value* ints(std::vector<int64_t> values) {
    return constant(Tensor::vector(std::move(values)));
  }  // int64[n]: shapes, axes, pads
  Value* scalar(double value, DType dtype);
  // Arithmetic on constants: the operator is computed now and its value is a new constant.
  Value* fold(const OpDef& op, const std::vector<Value*>& constants, Attributes attributes = {});
  Value* reshape(Value* constant, Shape shape);  // one -1 is allowed

  struct Replacement {
    Value* y;
    Value* with;
  };
  // Every use of each y becomes a use of its `with`; nodes that nobody needs any more disappear and leave their origins
  // to the added ones. All are replaced or none. A graph output keeps its name: `with` takes it over, or an Identity
  // does where it cannot. True if the graph changed.
  bool replace(const std::vector<Replacement>& replacements);
  bool replace(Value& y, Value* with) { return replace({{&y, with}}); }
  // Records why a rule that matched does not apply. Returns false.
  bool skip(const Value& y, std::string reason);

  bool changed() const { return changed_; }  // some replace succeeded

 private:
  void cannot_be(std::string reason);
  bool can_take_name(const Value& y, const Value& with) const;
  Value* named_like(Value& y, Value* with);
  bool replace_one(Value& y, Value* with);
  std::string stem() const;
  std::vector<std::string> erase_dead(Node* node);
  void leave_origins(std::vector<std::string> origins);
  void forget(Node* node);
  void touch_user(const Value& value);
  void keep();
  void take_back();

  Node* at_;
  Graph& graph_;
  std::string_view rule_;
  const ExplainSink* explain_;
  Worklist* worklist_;
  uint64_t revision_;  // of the graph without what was added
  std::vector<Node*> added_;
  std::unordered_set<const Node*> is_added_;
  std::vector<Value*> constants_;
  std::optional<std::string> impossible_;
  const Node* named_after_ =
      nullptr;  // the node whose name an added one has: of several outputs, the first hands it on
  bool changed_ = false;
};

// How many applications of rules are left. Rules that ship end long before: each application decreases a measure (see
// passes/simplify/simplify.h). A set of rules that undo each other uses this up instead of running for ever: rewriting
// then stops with the valid graph it has and explains that it did.
class RewriteBudget {
 public:
  explicit RewriteBudget(const Graph& graph);  // in proportion to the nodes there are: none is ever added to it
  bool spend() { return left_ > 0 && (--left_, true); }
  bool exhausted() const { return left_ == 0; }

 private:
  size_t left_;
};

struct RewriteOptions {
  std::set<std::string, std::less<>> disabled_rules;
  ExplainSink explain;
  RewriteBudget* budget = nullptr;  // of the caller who applies rules again and again; null: one for this call
};

// Visits every node of the graph and its subgraphs, then again the ones around each change, until no rule applies.
// Returns the number of applications.
size_t apply_rules(Graph& graph, std::span<const Rule> rules, const RewriteOptions& options = {});

}  // namespace lapis
