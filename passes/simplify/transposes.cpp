// cancel-transposes: transposes sink towards the outputs until they meet their inverse.
// Only a Transpose that nobody else uses sinks, so their number never grows.
#include <algorithm>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;
using Permutation = std::vector<int64_t>;

Attributes perm_attribute(const Permutation& perm) { return {{"perm", perm}}; }

// Transpose<p>(Transpose<q>(x))  =>  Transpose<q o p>(x)
bool transpose_of_transpose(Value& y, Rewriter& rw) {
  Value* x;
  Node *outer, *inner;
  if (!match(y, op(ops::Transpose, op(ops::Transpose, bind(x)).as(inner)).as(outer)) || !x->type().ranked())
    return false;
  const Permutation p = facts::permutation_of(*outer), q = facts::permutation_of(*inner);
  Permutation both;
  for (int64_t axis : p) both.push_back(q[static_cast<size_t>(axis)]);
  return rw.replace(y, facts::is_identity(both) ? x : rw.add(ops::Transpose, {x}, perm_attribute(both)));
}

// The Transpose that computes `value` for this one use; null if there is none.
Node* sinking(Value* value, const Graph& scope) {
  Node* node;
  return once(op(ops::Transpose, anything()).as(node))(value, scope) && value->type().ranked() ? node : nullptr;
}

bool is_one_element(const Value* value) {
  return !value || (value->is_constant() && value->constant().size() == 1 && value->constant().rank() <= 1);
}

bool replace_below(Value& y, const Permutation& perm, std::vector<Value*> inputs, Attributes attributes, Rewriter& rw) {
  Value* moved = rw.add(y.producer()->op(), std::move(inputs), std::move(attributes));
  return rw.replace(y, rw.add(ops::Transpose, {moved}, perm_attribute(perm)));
}

// Attributes of Quantize/DequantizeLinear with their axis before the Transpose; nullopt if they cannot move.
std::optional<Attributes> quantization_above(const Node& node, const Permutation& perm) {
  Attributes attributes = node.attributes();
  if (is_one_element(node.input(1))) return attributes;
  const auto a = node.attrs<ops::DequantizeLinearAttrs>();
  if (a.block_size != 0) return std::nullopt;
  const int64_t axis = a.axis < 0 ? a.axis + static_cast<int64_t>(perm.size()) : a.axis;
  attributes.insert_or_assign("axis", perm[static_cast<size_t>(axis)]);
  return attributes;
}

// f(Transpose(x))  =>  Transpose(f(x))        (f elementwise with one tensor operand: Relu, Clip, Cast, Quantize,
// Dequantize, ...)
bool below_unary(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  const bool quantization = node->is(ops::QuantizeLinear) || node->is(ops::DequantizeLinear);
  if ((!node->op().has(Trait::Elementwise) && !quantization) || node->outputs().size() != 1 || node->inputs().empty())
    return false;
  Node* transpose = sinking(node->input(0), y.graph());
  if (!transpose) return false;
  std::vector<Value*> inputs = node->inputs();
  inputs[0] = transpose->input(0);
  const Permutation perm = facts::permutation_of(*transpose);
  Attributes attributes = node->attributes();
  if (quantization) {
    const auto above = quantization_above(*node, perm);
    if (!above) return rw.skip(y, "its scales are blocked");
    attributes = *above;
  } else if (!std::all_of(inputs.begin() + 1, inputs.end(), is_one_element)) {
    return false;
  }
  return replace_below(y, perm, std::move(inputs), std::move(attributes), rw);
}

// A constant as an operand above the Transpose: its axes, padded to the full rank, go the way back.
Value* constant_above(Value* c, const Permutation& perm, Rewriter& rw) {
  Shape shape = c->constant().shape();
  shape.insert(shape.begin(), perm.size() - shape.size(), 1);
  return rw.fold(ops::Transpose, {rw.reshape(c, shape)}, perm_attribute(facts::inverse(perm)));
}

bool is_binary(const Node& node) {
  return node.inputs().size() == 2 && node.outputs().size() == 1 && node.input(0) && node.input(1);
}

// An operand above its Transpose, or above the one it is constant beside; null for another.
Value* operand_above(Value* operand, const Node* transpose, const Permutation& perm, Rewriter& rw) {
  if (transpose) return transpose->input(0);
  const bool fits = operand->is_constant() && operand->constant().rank() <= static_cast<int64_t>(perm.size());
  return fits ? constant_above(operand, perm, rw) : nullptr;
}

// f(Transpose<p>(a), Transpose<p>(b))  =>  Transpose<p>(f(a, b)),  f(Transpose<p>(a), c)  =>  Transpose<p>(f(a, c'))
//      (c constant)
bool below_binary(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  if (!node->op().has(Trait::Elementwise) || !is_binary(*node)) return false;
  Node *left = sinking(node->input(0), y.graph()), *right = sinking(node->input(1), y.graph());
  if (!left && (!right || node->op().has(Trait::OneSided))) return false;
  const Permutation perm = facts::permutation_of(left ? *left : *right);
  std::vector<Value*> inputs;
  for (Node* transpose : {left, right})
    if (transpose && facts::permutation_of(*transpose) != perm)
      return rw.skip(y, "its operands are transposed in different ways");
  for (size_t i = 0; i < 2; ++i)
    if (Value* above = operand_above(node->input(i), i == 0 ? left : right, perm, rw)) inputs.push_back(above);
  if (inputs.size() != 2) return rw.skip(y, "only one of its operands is transposed");
  return replace_below(y, perm, std::move(inputs), node->attributes(), rw);
}

// Concat<axis>(Transpose<p>(a), Transpose<p>(b))  =>  Transpose<p>(Concat<p[axis]>(a, b))
bool below_concat(Value& y, Rewriter& rw) {
  Node* node;
  if (!match(y, op(ops::Concat).rest().as(node)) || !y.type().ranked()) return false;
  std::vector<Value*> inputs;
  Permutation perm;
  for (Value* part : node->inputs()) {
    Node* transpose = sinking(part, y.graph());
    if (!transpose || (!perm.empty() && facts::permutation_of(*transpose) != perm)) return false;
    perm = facts::permutation_of(*transpose);
    inputs.push_back(transpose->input(0));
  }
  const int64_t axis = node->attrs<ops::ConcatAttrs>().axis;
  const size_t normal = static_cast<size_t>(axis < 0 ? axis + y.type().rank() : axis);
  return replace_below(y, perm, std::move(inputs), {{"axis", perm[normal]}}, rw);
}

constexpr Rule kRules[] = {
    {"transpose.of-transpose", transpose_of_transpose},
    {"transpose.below-unary", below_unary},
    {"transpose.below-binary", below_binary},
    {"transpose.below-concat", below_concat},
};

}  // namespace

std::span<const Rule> transpose_rules() { return kRules; }

}  // namespace lapis
