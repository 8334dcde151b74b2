// Operators that change nothing.
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

// Identity(x)  =>  x
bool identity(Value& y, Rewriter& rw) {
  Value* x;
  return match(y, op(ops::Identity, bind(x))) && rw.replace(y, x);
}

// Dropout(x)  =>  x        (nobody asks for the mask)
bool dropout(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  if (!match(y, op(ops::Dropout, bind(x)).rest().as(node))) return false;
  if (node->output(1) && !node->output(1)->unused()) return rw.skip(y, "its mask is used");
  return rw.replace(y, x);
}

// Cast<T>(x: T)  =>  x
bool cast(Value& y, Rewriter& rw) {
  Value* x;
  return match(y, any_of({&ops::Cast, &ops::CastLike}, bind(x)).rest()) && x->dtype() == y.dtype() && rw.replace(y, x);
}

// Every value of `from` survives in `to`.
bool holds_all(DType to, DType from) {
  if (from == DType::Bool) return is_integer(to) || to == DType::Float32 || to == DType::Float64;
  if (is_integer(from) && is_integer(to)) {
    const IntegerRange a = integer_range(from), b = integer_range(to);
    return b.lowest <= a.lowest && a.highest <= b.highest &&
           (is_signed(from) || is_signed(to) || bit_width(from) <= bit_width(to));
  }
  if (is_integer(from))
    return (to == DType::Float32 && bit_width(from) <= 16) || (to == DType::Float64 && bit_width(from) <= 32);
  if (from == DType::Float16 || from == DType::BFloat16) return to == DType::Float32 || to == DType::Float64;
  return from == DType::Float32 && to == DType::Float64;
}

// Cast<T>(Cast<U>(x))  =>  Cast<T>(x)        (U holds every value of x)
bool cast_of_cast(Value& y, Rewriter& rw) {
  Value *x, *mid;
  Node* cast;
  if (!match(y, op(ops::Cast, bind(mid)).as(cast)) || !match(*mid, op(ops::Cast, bind(x)))) return false;
  if (!holds_all(mid->dtype(), x->dtype()))
    return rw.skip(y, "the cast to " + std::string(name_of(mid->dtype())) + " loses values");
  return rw.replace(y, rw.add(ops::Cast, {x}, cast->attributes()));
}

// f(x)  =>  x        (f moves elements in order, and the shape is that of x)
bool same_shape_movement(Value& y, Rewriter& rw) {
  Value* x;
  if (!match(y,
             any_of({&ops::Reshape, &ops::Flatten, &ops::Squeeze, &ops::Unsqueeze, &ops::Expand, &ops::Tile}, bind(x))
                 .rest()))
    return false;
  return facts::same_shape(*x, y) && rw.replace(y, x);
}

// Transpose<0, 1, 2, ...>(x)  =>  x
bool transpose(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  return match(y, op(ops::Transpose, bind(x)).as(node)) && y.type().ranked() &&
         facts::is_identity(facts::permutation_of(*node)) && rw.replace(y, x);
}

// Slice(x, ...)  =>  x        (all elements, in steps of one)
bool slice(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  if (!match(y, op(ops::Slice, bind(x)).rest().as(node)) || !facts::same_shape(*x, y)) return false;
  const auto steps = node->input(4) ? facts::ints(node->input(4)) : std::vector<int64_t>{1};
  if (!steps) return rw.skip(y, "its steps are not constant");
  return std::all_of(steps->begin(), steps->end(), [](int64_t s) { return s == 1; }) && rw.replace(y, x);
}

// Pad(x, 0)  =>  x
bool pad(Value& y, Rewriter& rw) {
  Value *x, *pads;
  if (!match(y, op(ops::Pad, bind(x), constant(pads)).rest())) return false;
  return facts::is_filled_with(*pads, 0) && rw.replace(y, x);
}

// Concat(x)  =>  x,  Concat(x, empty)  =>  Concat(x)
bool concat(Value& y, Rewriter& rw) {
  Node* node;
  if (!match(y, op(ops::Concat).rest().as(node))) return false;
  const int64_t axis = node->attrs<ops::ConcatAttrs>().axis;
  std::vector<Value*> parts;
  for (Value* part : node->inputs())
    if (!part->type().ranked() || !part->type().dim(axis).is(0)) parts.push_back(part);
  if (parts.size() == 1) return rw.replace(y, parts[0]);
  if (parts.empty() || parts.size() == node->inputs().size()) return false;
  return rw.replace(y, rw.add(ops::Concat, parts, node->attributes()));
}

// Split(x) into one  =>  x
bool split(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  return match(y, op(ops::Split, bind(x)).rest().as(node)) && node->outputs().size() == 1 && facts::same_shape(*x, y) &&
         rw.replace(y, x);
}

// x * 1, x / 1, x - 0, x ** 1  =>  x        (x + 0.0 stays: it turns -0 into 0)
bool neutral(Value& y, Rewriter& rw) {
  Value *x, *c;
  if (!match(y, any_of({&ops::Mul, &ops::Div, &ops::Sub, &ops::Pow, &ops::Add}, bind(x), constant(c))) ||
      !facts::same_shape(*x, y))
    return false;
  const Node& node = *y.producer();
  const bool sum = node.is(ops::Sub) || node.is(ops::Add);
  if (node.is(ops::Add) && !is_integer(y.dtype())) return false;
  return x->dtype() == y.dtype() && facts::is_filled_with(*c, sum ? 0 : 1) && rw.replace(y, x);
}

constexpr Rule kRules[] = {
    {"no-op.identity", identity},
    {"no-op.dropout", dropout},
    {"no-op.cast", cast},
    {"no-op.cast-of-cast", cast_of_cast},
    {"no-op.same-shape", same_shape_movement},
    {"no-op.transpose", transpose},
    {"no-op.slice", slice},
    {"no-op.pad", pad},
    {"no-op.concat", concat},
    {"no-op.split", split},
    {"no-op.neutral", neutral},
};

}  // namespace

std::span<const Rule> no_op_rules() { return kRules; }

}  // namespace lapis
