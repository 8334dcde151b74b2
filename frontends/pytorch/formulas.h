// Functions that several translators are made of.
#pragma once

#include <functional>
#include <limits>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {

using frontend::Formula;

// The first result of the operator, or why a formula has none.
Status finish(Translation& t, const Formula& f, Value* y);

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value* log_of_one_more(Formula& f, Value* x);  // log(1 + x), of small x too
// log(e^a + e^b) and the like: the larger one, so that nothing overflows, and what the other one adds, a function of
// -|a - b|. Infinities that are equal have no difference; `equal` is what equal numbers add.
Value* larger_with_excess(Formula& f, Value* a, Value* b, const std::function<Value*(Value*)>& excess, double equal);
Value* log_of_sum(Formula& f, Value* a, Value* b);  // log(e^a + e^b)
// start + weight (end - start), from the nearer end: end - (1 - weight) (end - start).
Value* between(Formula& f, Value* start, Value* end, Value* weight);

}  // namespace lapis::pytorch_frontend
