// Matching: one expression that says what a value must look like, with captures into typed locals.
//
//   using namespace pattern;
//   Value *x, *w, *b;
//   Node* conv;
//   if (!match(y, commutative(ops::Add, once(op(ops::Conv, bind(x), bind(w)).as(conv)), constant(b)))) return false;
//
// The vocabulary (a pattern is any callable bool(Value*, const Graph& scope); a null Value* is an absent operand):
//   bind(v)                      any present value, captured in v
//   same(v)                      the value captured in v before (patterns match from left to right)
//   constant(v)                  a constant, captured in v
//   scalar(s)                    a constant of exactly one element, its value captured in the double s
//   op(ops::X, p...)             output 0 of an X whose operands match p..., one pattern each;
//                                further operands must be absent
//   any_of({&ops::X, &ops::Y}, p...)   the same for several operators
//   commutative(ops::X, p, q)    op(ops::X, p, q) or op(ops::X, q, p)
//     .as(node)                  also captures the Node; .rest() after it allows any further operands
//   once(p)                      matches p, and the value has no other use and is not a graph output
//   optional(p)                  absent, or matches p; captures in p keep their value when absent,
//                                so initialise them with nullptr
//   anything()                   present or absent, not captured
//
// A match never crosses into an enclosing graph: the nodes of a loop body are not combined with nodes outside of it.
// Captures are meaningful only after match() returned true.
// To add a word: a struct with `bool operator()(Value*, const Graph&) const`, a function that makes it, a line above.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <tuple>
#include <utility>

#include "ir/op.h"

namespace lapis {

template <class Pattern> bool match(Value& value, const Pattern& pattern) { return pattern(&value, value.graph()); }

namespace pattern {

struct Bind {
  Value** slot;
  bool operator()(Value* v, const Graph&) const { return v && (*slot = v, true); }
};
inline Bind bind(Value*& v) { return {&v}; }

struct Same {
  Value* const* slot;
  bool operator()(Value* v, const Graph&) const { return v == *slot; }
};
inline Same same(Value* const& v) { return {&v}; }

struct Constant {
  Value** slot;
  bool operator()(Value* v, const Graph&) const { return v && v->is_constant() && (*slot = v, true); }
};
inline Constant constant(Value*& v) { return {&v}; }

struct Scalar {
  double* slot;
  bool operator()(Value* v, const Graph&) const {
    if (!v || !v->is_constant() || v->constant().size() != 1 || v->dtype() == DType::String) return false;
    *slot = v->constant().as_double(0);
    return true;
  }
};
inline Scalar scalar(double& s) { return {&s}; }

struct Anything {
  bool operator()(Value*, const Graph&) const { return true; }
};
inline Anything anything() { return {}; }

template <class P> struct Once {
  P inner;
  bool operator()(Value* v, const Graph& scope) const { return v && v->used_once() && inner(v, scope); }
};
template <class P> Once<P> once(P inner) { return {std::move(inner)}; }

template <class P> struct Optional {
  P inner;
  bool operator()(Value* v, const Graph& scope) const { return !v || inner(v, scope); }
};
template <class P> Optional<P> optional(P inner) { return {std::move(inner)}; }

// Operands matched in order, or (two of them) in either order.
template <class... P> class Operation {
 public:
  static constexpr size_t kMaxOps = 8;
  Operation(std::initializer_list<const OpDef*> ops, bool either_order, P... operands)
      : either_order_(either_order), operands_(std::move(operands)...) {
    LAPIS_ASSERT(ops.size() <= kMaxOps, "a pattern lists at most " << kMaxOps << " operators");
    std::copy(ops.begin(), ops.end(), ops_.begin());
  }
  Operation as(Node*& node) && {
    node_ = &node;
    return std::move(*this);
  }
  Operation rest() && {
    rest_ = true;
    return std::move(*this);
  }

  bool operator()(Value* v, const Graph& scope) const {
    Node* node = v ? v->producer() : nullptr;
    if (!node || v->output_index() != 0 || &node->graph() != &scope || !is_listed(node->op())) return false;
    if (!operands_match(*node, scope)) return false;
    if (node_) *node_ = node;
    return true;
  }

 private:
  bool is_listed(const OpDef& op) const { return std::find(ops_.begin(), ops_.end(), &op) != ops_.end(); }

  bool operands_match(const Node& node, const Graph& scope) const {
    if (!rest_)
      for (size_t i = sizeof...(P); i < node.inputs().size(); ++i)
        if (node.input(i)) return false;
    if (in_order(node, scope, std::index_sequence_for<P...>())) return true;
    if constexpr (sizeof...(P) == 2)
      return either_order_ && std::get<0>(operands_)(node.input(1), scope) &&
             std::get<1>(operands_)(node.input(0), scope);
    else
      return false;
  }
  template <size_t... I> bool in_order(const Node& node, const Graph& scope, std::index_sequence<I...>) const {
    return (std::get<I>(operands_)(node.input(I), scope) && ...);
  }

  std::array<const OpDef*, kMaxOps> ops_{};
  bool either_order_ = false, rest_ = false;
  Node** node_ = nullptr;
  std::tuple<P...> operands_;
};
template <class... P> Operation<P...> op(const OpDef& def, P... operands) {
  return {{&def}, false, std::move(operands)...};
}
template <class... P> Operation<P...> any_of(std::initializer_list<const OpDef*> ops, P... operands) {
  return {ops, false, std::move(operands)...};
}
template <class P, class Q> Operation<P, Q> commutative(const OpDef& def, P p, Q q) {
  return {{&def}, true, std::move(p), std::move(q)};
}

}  // namespace pattern
}  // namespace lapis
