#include "frontends/pytorch/formulas.h"

#include <cmath>
#include <numbers>

namespace lapis::pytorch_frontend {

Status finish(Translation& t, const Formula& f, Value* y) {
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// log(1 + x) has lost the digits of a small x, but its quotient with what 1 + x has kept of it has not.
Value* log_of_one_more(Formula& f, Value* x) {
  const DType type = x->dtype();
  Value *one = f.number(1, type), *more = f.add({x, one}), *plain = f.op(ops::Log, {more});
  Value* exact = f.where({f.op(ops::Equal, {more, one}), x, f.div({f.mul({plain, x}), f.sub({more, one})})});
  return f.where({f.greater({f.number(0.5, type), f.op(ops::Abs, {x})}), exact, plain});
}

Value* larger_with_excess(Formula& f, Value* a, Value* b, const std::function<Value*(Value*)>& excess, double equal) {
  Value* distance = f.op(ops::Neg, {f.op(ops::Abs, {f.sub({a, b})})});
  return f.add({f.max({a, b}), f.where({f.op(ops::Equal, {a, b}), f.number(equal, a->dtype()), excess(distance)})});
}

Value* log_of_sum(Formula& f, Value* a, Value* b) {
  const auto excess = [&](Value* distance) { return log_of_one_more(f, f.op(ops::Exp, {distance})); };
  return larger_with_excess(f, a, b, excess, std::numbers::ln2);
}

Value* between(Formula& f, Value* start, Value* end, Value* weight) {
  constexpr double kMiddle = 0.5;
  const DType type = weight->dtype();
  Value* way = f.sub({end, start});
  const auto from_start = [&] { return f.add({start, f.mul({weight, way})}); };
  const auto from_end = [&] { return f.sub({end, f.mul({way, f.sub({f.number(1, type), weight})})}); };
  if (weight->is_constant() && weight->constant().size() == 1)
    return std::abs(weight->constant().as_double(0)) < kMiddle ? from_start() : from_end();
  Value* is_near = f.greater({f.number(kMiddle, type), f.op(ops::Abs, {weight})});
  return f.where({is_near, from_start(), from_end()});
}

}  // namespace lapis::pytorch_frontend
