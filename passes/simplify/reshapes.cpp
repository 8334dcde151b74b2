// Everything that keeps the order of elements is one Reshape to a constant shape (with -1 for a symbolic dimension).
#include "ir/match.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

constexpr std::string_view kOnlyDeclared = "its shape is computed, and what is known of it is only declared";

template <class P> auto any_reshape(P inner) {
  return any_of({&ops::Reshape, &ops::Flatten, &ops::Squeeze, &ops::Unsqueeze}, std::move(inner)).rest();
}

bool is_canonical(const Node& node, const std::vector<int64_t>& target) {
  if (!node.is(ops::Reshape) || facts::ints(node.input(1)) != target) return false;
  return facts::names_zero(target) ? node.attrs<ops::ReshapeAttrs>().allowzero : node.attributes().empty();
}

// Flatten(x), Squeeze(x, a), Unsqueeze(x, a), Reshape(x, s)  =>  Reshape(x, {4, -1, 8})        (at most one dimension
// of y is unknown)
//                                                            =>  Reshape<allowzero = 1>(x, {4, 0, 8})
bool to_reshape(Value& y, Rewriter& rw) {
  Value* x;
  if (!match(y, any_reshape(bind(x)))) return false;
  const auto target = facts::reshape_target(y.type());
  if (!target)
    return rw.skip(y,
                   "more than one dimension of " + y.type().to_string() + " is unknown, or one beside one that is 0");
  if (is_canonical(*y.producer(), *target)) return false;
  if (!facts::is_shape_sure(y)) return rw.skip(y, std::string(kOnlyDeclared));
  return rw.replace(y, reshaped(x, *target, rw));
}

// Reshape(Reshape(x, s), t)  =>  Reshape(x, t)        (any two operators of the family)
bool reshape_of_reshape(Value& y, Rewriter& rw) {
  Value *x, *mid;
  if (!match(y, any_reshape(bind(mid))) || !match(*mid, any_reshape(bind(x)))) return false;
  const auto target = facts::reshape_target(y.type());
  return target && facts::is_shape_sure(*mid) && facts::is_shape_sure(y) && rw.replace(y, reshaped(x, *target, rw));
}

// Axes longer than one keep their order, so no element moves.
bool moves_only_ones(const std::vector<int64_t>& perm, const Type& x) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (x.dim(axis).is(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

// Transpose(x)  =>  Reshape(x, t)        (only axes of size 1 move)
bool transpose_to_reshape(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  if (!match(y, op(ops::Transpose, bind(x)).as(node)) || !x->type().ranked()) return false;
  const auto target = facts::reshape_target(y.type());
  return target && moves_only_ones(facts::permutation_of(*node), x->type()) && rw.replace(y, reshaped(x, *target, rw));
}

constexpr Rule kRules[] = {
    {"reshape.of-reshape", reshape_of_reshape},
    {"reshape.canonical", to_reshape},
    {"reshape.from-transpose", transpose_to_reshape},
};

}  // namespace

Value* reshaped(Value* x, const std::vector<int64_t>& target, Rewriter& rw) {
  return rw.add(ops::Reshape, {x, rw.ints(target)}, ops::ReshapeAttrs{facts::names_zero(target)});
}

std::span<const Rule> reshape_rules() { return kRules; }

}  // namespace lapis
