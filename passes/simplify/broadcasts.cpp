// Expand only repeats what an elementwise operator would repeat by itself, so it sinks below those and vanishes where
// it can.
#include <algorithm>

#include "ir/match.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

// f(Expand(x, s))  =>  Expand(f(x), s)        (f elementwise with this one operand)
bool expand_below_unary(Value& y, Rewriter& rw) {
  Value *x, *shape;
  Node* node = y.producer();
  if (!node->op().has(Trait::Elementwise) || node->inputs().size() != 1 || node->outputs().size() != 1) return false;
  if (!once(op(ops::Expand, bind(x), bind(shape)))(node->input(0), y.graph())) return false;
  return rw.replace(y, rw.add(ops::Expand, {rw.add(node->op(), {x}, node->attributes()), shape}));
}

// However often the operand is repeated, y has the shape of `other`:
// that repeats nothing itself, or the shapes are no mere declarations.
bool ends_as(const Value& other, const Value& y, const Value& expanded) {
  const auto may_repeat = [](const Dim& d) { return !d.is_constant() || d.is(1); };
  const Dims& dims = *other.type().dims;
  return std::none_of(dims.begin(), dims.end(), may_repeat) ||
         (facts::is_shape_sure(expanded) && facts::is_shape_sure(y));
}

// f(Expand(x, s), z)  =>  f(x, z)        (f broadcasts, and z has the shape of the result)
bool expand_into_binary(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  if (!node->op().has(Trait::Elementwise) || node->inputs().size() != 2) return false;
  for (size_t i : {0, 1}) {
    if (i == 0 && node->op().has(Trait::OneSided)) continue;  // the result has the shape of operand 0
    Value *x, *other = node->input(1 - i);
    if (!other || !op(ops::Expand, bind(x), anything())(node->input(i), y.graph()) || !facts::same_shape(*other, y) ||
        !ends_as(*other, y, *node->input(i)))
      continue;
    std::vector<Value*> inputs = node->inputs();
    inputs[i] = x;
    return rw.replace(y, rw.add(node->op(), std::move(inputs), node->attributes()));
  }
  return false;
}

constexpr Rule kRules[] = {{"broadcast.below-unary", expand_below_unary},
                           {"broadcast.into-binary", expand_into_binary}};

}  // namespace

std::span<const Rule> broadcast_rules() { return kRules; }

}  // namespace lapis
