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

// Dropout for inference: training_mode is left out or known to be false, or nothing is dropped.
bool drops_nothing(const Node& dropout) {
  const Value *ratio = dropout.input(1), *training = dropout.input(2);
  if (!training || (training->is_constant() && facts::is_filled_with(*training, 0))) return true;
  return ratio && ratio->is_constant() && facts::is_filled_with(*ratio, 0);
}

// Dropout(x)  =>  x        (nothing is dropped; the mask has its own rule)
bool dropout(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  if (!match(y, op(ops::Dropout, bind(x)).rest().as(node))) return false;
  if (!drops_nothing(*node)) return rw.skip(y, "it may drop elements: training_mode is not known to be false");
  return !y.unused() && rw.replace(y, x);
}

// The mask of a Dropout that drops nothing  =>  Expand(true, shape of x)
bool dropout_mask(Value& mask, Rewriter& rw) {
  const Node& node = *mask.producer();
  if (!node.is(ops::Dropout) || mask.output_index() != 1 || mask.unused() || !drops_nothing(node)) return false;
  Value* x = node.input(0);
  Value* shape = x->type().is_static() ? rw.ints(x->type().shape()) : rw.add(ops::ShapeOf, {x});
  return rw.replace(mask, rw.add(ops::Expand, {rw.constant(Tensor::scalar(true)), shape}));
}

// Cast<T>(x: T)  =>  x
bool cast(Value& y, Rewriter& rw) {
  Value* x;
  return match(y, any_of({&ops::Cast, &ops::CastLike}, bind(x)).rest()) && x->dtype() == y.dtype() && rw.replace(y, x);
}

// Every value of `from` survives in `to`. (Where a value does not fit the type after that, what happens to it depends
// on whether it comes as an integer or as a float.)
bool holds_all(DType to, DType from) {
  if (from == DType::Bool) return is_integer(to) || to == DType::Float32 || to == DType::Float64;
  if (is_integer(from) && is_integer(to)) {
    const IntegerRange a = integer_range(from), b = integer_range(to);
    return b.lowest <= a.lowest && a.highest <= b.highest;
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
  const bool as_float = is_integer(x->dtype()) && is_float(mid->dtype());
  if (y.dtype() == DType::String || (as_float && is_integer(y.dtype()) && !holds_all(y.dtype(), x->dtype())))
    return rw.skip(y, "the cast to " + std::string(name_of(mid->dtype())) + " decides how values are converted");
  return rw.replace(y, rw.add(ops::Cast, {x}, cast->attributes()));
}

// f(x)  =>  x        (f moves elements in order, and the shape is that of x)
bool same_shape_movement(Value& y, Rewriter& rw) {
  Value* x;
  if (!match(y,
             any_of({&ops::Reshape, &ops::Flatten, &ops::Squeeze, &ops::Unsqueeze, &ops::Expand, &ops::Tile}, bind(x))
                 .rest()))
    return false;
  return facts::same_shape(*x, y) && facts::is_shape_sure(y) && rw.replace(y, x);
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
  // Else the shape is what the model declares, and only what starts at 0 is known to be everything.
  if (!steps || !facts::ints(node->input(1)) || !facts::ints(node->input(2)))
    return rw.skip(y, "its bounds and steps are not constant");
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
         facts::is_shape_sure(y) && rw.replace(y, x);
}

// What changes no x, as the right operand. -0 + 0 is +0 and -0 - -0 is +0, so
// the zeros of floats have signs.
double neutral_of(const Node& node) {
  if (node.is(ops::Add)) return is_integer(node.output()->dtype()) ? 0.0 : -0.0;
  return node.is(ops::Sub) ? 0.0 : 1.0;
}

// x * 1, x / 1, x ** 1, x - 0, x + -0  =>  x
bool neutral(Value& y, Rewriter& rw) {
  Value *x, *c;
  if (!match(y, any_of({&ops::Mul, &ops::Div, &ops::Sub, &ops::Pow, &ops::Add}, bind(x), constant(c))) ||
      !facts::same_shape(*x, y))
    return false;
  if (y.producer()->is(ops::Pow) && !facts::is_float(y) && !is_integer(c->dtype()))
    return rw.skip(y, "a real exponent makes it a real power, which has fewer digits than a wide integer");
  return x->dtype() == y.dtype() && facts::is_filled_with(*c, neutral_of(*y.producer())) && rw.replace(y, x);
}

constexpr Rule kRules[] = {
    {"no-op.identity", identity},
    {"no-op.dropout", dropout},
    {"no-op.dropout-mask", dropout_mask},
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
