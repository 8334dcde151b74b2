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
#include <set>
#include <span>
#include <string>
#include <string_view>
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
class Rewriter {
 public:
  // Nodes are inserted before `at`; what it reads may be used by them.
  explicit Rewriter(Node& at, std::string_view rule = "", const ExplainSink* explain = nullptr,
                    Worklist* worklist = nullptr)
      : at_(&at),
        graph_(at.graph()),
        rule_(rule),
        explain_(explain && *explain ? explain : nullptr),
        worklist_(worklist) {}

  // A node with one output, its type inferred. Asserts that inference succeeds.
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

  // Every use of y becomes a use of `with`; nodes that nobody needs any more disappear and leave their origins to the
  // added ones.
  // A graph output keeps its name: `with` takes it over, or an Identity does where it cannot. Returns true.
  bool replace(Value& y, Value* with);
  // Changes one operand of a node in place.
  bool replace_operand(Node& node, size_t index, Value* with);
  // Records why a rule that matched does not apply. Returns false.
  bool skip(const Value& y, std::string reason);

 private:
  bool can_take_name(const Value& y, const Value& with) const;
  Value* named_like(Value& y, Value* with);
  std::string stem() const;
  std::vector<std::string> erase_dead(Node* node);
  void leave_origins(std::vector<std::string> origins);
  void forget(Node* node);
  void touch_users(const Value& value);

  Node* at_;
  Graph& graph_;
  std::string_view rule_;
  const ExplainSink* explain_;
  Worklist* worklist_;
  std::vector<Node*> added_;
};

struct RewriteOptions {
  std::set<std::string, std::less<>> disabled_rules;
  ExplainSink explain;
};

// Visits every node of the graph and its subgraphs, then again the ones around each change, until no rule applies.
// Returns the number
// of applications. Rules must make progress: a set of rules that does not terminate is caught by a bound and asserts.
size_t apply_rules(Graph& graph, std::span<const Rule> rules, const RewriteOptions& options = {});

}  // namespace lapis
