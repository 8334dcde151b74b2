#include "frontends/common/loop_parts.h"

#include "frontends/common/build.h"
#include "ir/match.h"
#include "ir/ops/ops.h"

namespace lapis::frontend {
namespace {

using namespace pattern;

void add_terms(Value* v, const OpDef& op, std::vector<Value*>& terms) {
  v = without_identity(v);
  if (!v->producer() || !v->producer()->is(op)) return terms.push_back(v);
  for (Value* term : v->producer()->inputs()) add_terms(term, op, terms);
}
// Whether state i is one more after each iteration.
bool counts(const LoopParts& loop, size_t i) {
  if (loop.unchanged[i] || !is_integer(loop.starts[i]->dtype())) return false;
  Value *before = nullptr, *one = nullptr;
  return match(*without_identity(loop.body.outputs()[i + 1]), commutative(ops::Add, bind(before), constant(one))) &&
         before == loop.inputs[i] && constant_number(one) == 1;
}

// What a value of the body is in the graph around; null if that is not at hand.
Value* around(Translation& t, const LoopParts& loop, const Value* v) {
  if (v->is_constant()) return t.constant(v->constant());
  for (size_t i = 0; i < loop.starts.size(); ++i)
    if (loop.inputs[i] == v && loop.unchanged[i]) return loop.starts[i];
  return nullptr;
}

Result<Value*> number(Translation& t, Value* v) {
  LAPIS_TRY(v, cast(t, v, DType::Int64));
  return reshape(t, v, {});
}

// The iterations until `counted`, which is a counter behind its step, is no longer below `limit`;
// null if it is no counter.
Result<Value*> trips_until(Translation& t, const LoopParts& loop, Value* counted, Value* limit) {
  Value* const none = nullptr;
  for (size_t i = 0; i < loop.starts.size(); ++i) {
    if (without_identity(loop.body.outputs()[i + 1]) != without_identity(counted) || !counts(loop, i)) continue;
    Value* end = around(t, loop, without_identity(limit));
    if (!end) return none;
    LAPIS_TRY(end, number(t, end));
    LAPIS_TRY(Value * begin, number(t, loop.starts[i]));
    return t.add(ops::Sub, {end, begin});
  }
  return none;
}

}  // namespace

Value* without_identity(Value* v) {
  while (v->producer() && v->producer()->is(ops::Identity)) v = v->producer()->input(0);
  return v;
}

std::vector<Value*> terms_of(Value* v, const OpDef& op) {
  std::vector<Value*> terms;
  add_terms(v, op, terms);
  return terms;
}

std::optional<int64_t> constant_number(const Value* v) {
  const bool is_one = v && v->is_constant() && v->constant().size() == 1 && is_integer(v->dtype());
  return is_one ? std::optional(v->constant().as_int(0)) : std::nullopt;
}

Result<Value*> trips_of(Translation& t, const LoopParts& loop) {
  Value* fewest = nullptr;
  for (Value* term : terms_of(loop.body.outputs()[0], ops::And)) {
    Value *counted = nullptr, *limit = nullptr, *trips = nullptr;
    if (match(*term, op(ops::Less, bind(counted), bind(limit)))) {
      LAPIS_TRY(trips, trips_until(t, loop, counted, limit));
    }
    if (!trips) return trips;
    if (fewest) {
      LAPIS_TRY(trips, t.add(ops::Min, {fewest, trips}));
    }
    fewest = trips;
  }
  return fewest;
}

}  // namespace lapis::frontend
