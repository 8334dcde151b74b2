// Plainer elementwise operators. All of these are exact in IEEE arithmetic; Div by a constant stays Div for that
// reason.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/match.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// f(c, x)  =>  f(x, c)        (f commutes)
bool constant_to_the_right(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  if (!node->op().has(Trait::Commutative) || node->inputs().size() != 2 || node->subgraphs().size()) return false;
  Value *c = node->input(0), *x = node->input(1);
  return c->is_constant() && !x->is_constant() && rw.replace(y, rw.add(node->op(), {x, c}, node->attributes()));
}

// x - c  =>  x + (-c)
bool sub_to_add(Value& y, Rewriter& rw) {
  Value *x, *c;
  return match(y, op(ops::Sub, bind(x), constant(c))) && facts::is_float(y) &&
         rw.replace(y, rw.add(ops::Add, {x, rw.fold(ops::Neg, {c})}));
}

// x ** 2  =>  x * x        (up to float32: the power is computed in double, where the square is exact,
//                           and rounded once)
bool square(Value& y, Rewriter& rw) {
  Value* x;
  double exponent;
  return match(y, op(ops::Pow, bind(x), scalar(exponent))) && exponent == 2 && facts::same_shape(*x, y) &&
         facts::is_float(y) && y.dtype() != DType::Float64 && rw.replace(y, rw.add(ops::Mul, {x, x}));
}

// ---- bounds ---------------------------------------------------------------------------------------------------------

struct Bounds {
  double low = -kInfinity, high = kInfinity;
};

// Max(-0, 0) is +0 but Clip and Relu leave -0 alone: the same only for readers that cannot tell.
bool binds_by_order(const Value& y, double bound) {
  return bound != 0 || !facts::is_float(y) || facts::hides_sign_of_zero(y);
}

// The bounds that a Relu, a Clip with constant bounds, or a Max or Min with one number puts on `x`.
std::optional<Bounds> bounds_of(Value& y, Value*& x) {
  Bounds b;
  const auto clip = op(ops::Clip, bind(x), optional(scalar(b.low)), optional(scalar(b.high)));
  if (match(y, op(ops::Relu, bind(x))))
    b.low = 0;
  else if (match(y, commutative(ops::Max, bind(x), scalar(b.low)))) {
    if (!binds_by_order(y, b.low)) return std::nullopt;
  } else if (match(y, commutative(ops::Min, bind(x), scalar(b.high)))) {
    if (!binds_by_order(y, b.high)) return std::nullopt;
  } else if (!match(y, clip)) {
    return std::nullopt;
  }
  // Bounds that cross or are no numbers mean something else in every operator.
  if (!(b.low <= b.high) || !facts::same_shape(*x, y)) return std::nullopt;
  return b;
}

bool is_relu(const Bounds& b) { return facts::same_number(b.low, 0) && b.high == kInfinity; }

// With both bounds: ONNX Runtime takes the largest finite number for one that is left out.
Value* bounded(Rewriter& rw, Value* x, const Bounds& b) {
  if (is_relu(b)) return rw.add(ops::Relu, {x});
  return rw.add(ops::Clip, {x, rw.scalar(b.low, x->dtype()), rw.scalar(b.high, x->dtype())});
}

// Max(x, a)  =>  Clip(x, a, inf),  Min(x, b)  =>  Clip(x, -inf, b),  Clip(x, 0)  =>  Relu(x)        (a and b are not 0)
bool to_clip(Value& y, Rewriter& rw) {
  Value* x;
  const auto b = bounds_of(y, x);
  if (!b || !facts::is_float(y) || y.producer()->is(ops::Relu)) return false;
  if (b->low == -kInfinity && b->high == kInfinity) return rw.replace(y, x);
  return (is_relu(*b) || !y.producer()->is(ops::Clip)) && rw.replace(y, bounded(rw, x, *b));
}

// Clip(Clip(x, a, b), c, d)  =>  Clip(x, a within c..d, b within c..d)        (Relu is Clip from 0; so are Max and Min
// with a number)
bool clip_of_clip(Value& y, Rewriter& rw) {
  Value *mid, *x;
  const auto outer = bounds_of(y, mid);
  if (!outer || !facts::is_float(y)) return false;
  const auto inner = bounds_of(*mid, x);
  if (!inner || &mid->graph() != &y.graph()) return false;
  if (inner->low >= outer->low && inner->high <= outer->high) return rw.replace(y, mid);
  if (!mid->used_once()) return rw.skip(y, "the inner bounds have other users");
  auto within = [&](double v) { return std::clamp(v, outer->low, outer->high); };
  return rw.replace(y, bounded(rw, x, {within(inner->low), within(inner->high)}));
}

// ---- matrix product -------------------------------------------------------------------------------------------------

// MatMul(a, b) + c  =>  Gemm(a, b, c)        (matrices, b and c constant: what kernels take)
bool matmul_to_gemm(Value& y, Rewriter& rw) {
  Value *product, *a, *b, *c;
  if (!match(y, commutative(ops::Add, bind(product), constant(c))) ||
      !match(*product, once(op(ops::MatMul, bind(a), constant(b)))))
    return false;
  if (!facts::is_float(y) || !a->type().ranked() || !b->type().ranked() || a->type().rank() != 2 ||
      b->type().rank() != 2)
    return false;
  if (c->type().rank() > 2 || !facts::same_shape(*product, y)) return rw.skip(y, "the constant grows the product");
  return rw.replace(y, rw.add(ops::Gemm, {a, b, c}));
}

constexpr Rule kRules[] = {
    {"canonical.constant-right", constant_to_the_right},
    {"canonical.sub-to-add", sub_to_add},
    {"canonical.square", square},
    {"canonical.clip-of-clip", clip_of_clip},
    {"canonical.clip", to_clip},
    {"canonical.gemm", matmul_to_gemm},
};

}  // namespace

std::span<const Rule> arithmetic_rules() { return kRules; }

}  // namespace lapis
