#include "frontends/keras/steps.h"

#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

Result<Value*> running_sum(Translation& t, Value* x, int64_t axis) {
  Value* along = t.constant(Tensor::scalar(axis));
  return t.add(ops::CumSum, {x, along}, ops::CumSumAttrs{.exclusive = true});
}

// How many steps there are, for an operator that wants it as one number.
Result<Value*> step_count(Translation& t, Value* mask) {
  if (const Dim steps = mask->type().dim(1); steps.is_constant()) return frontend::ints(t, {steps.value()});
  return t.add(ops::ShapeOf, {mask}, ops::ShapeAttrs{.end = 2, .start = 1});
}

Result<Value*> selected(Translation& t, Value* where, Value* y) {
  return t.add(ops::Where, {where, y, frontend::scalar(t, 0, y->dtype())});
}

}  // namespace

// Keys that are larger for steps that count and fall from step to step, so that the largest come in order.
Result<Steps> steps_of(Translation& t, size_t mask) {
  Steps s;
  LAPIS_TRY(s.counts, step_mask(t, mask));
  if (!s.counts->type().ranked() || s.counts->type().rank() != 2)
    return error(ErrorKind::Input, "its mask is " + s.counts->type().to_string() + ", not [N, steps]");
  LAPIS_TRY(Value * one, frontend::cast(t, s.counts, DType::Int64));
  LAPIS_TRY(Value * zeros, t.add(ops::Sub, {one, one}));
  LAPIS_TRY(Value * ones, t.add(ops::Add, {zeros, frontend::scalar(t, 1, DType::Int64)}));
  LAPIS_TRY(s.before, running_sum(t, one, 1));
  LAPIS_TRY(Value * width, frontend::reduce(t, ops::ReduceSum, ones, {1}, true));
  LAPIS_TRY(Value * sequence, running_sum(t, width, 0));
  s.first = sequence;
  LAPIS_TRY(Value * step, running_sum(t, ones, 1));
  LAPIS_TRY(Value * keys, t.add(ops::Mul, {one, width}));
  LAPIS_TRY(keys, t.add(ops::Sub, {keys, step}));
  LAPIS_TRY(Value * count, step_count(t, s.counts));
  LAPIS_TRY(const std::vector<Value*> sorted,
            t.add_all(ops::TopK, {keys, count}, encode_attributes(ops::TopKAttrs{.axis = 1}), 2));
  LAPIS_TRY(s.order, t.add(ops::Add, {sorted[1], s.first}));
  LAPIS_TRY(Value * total, frontend::reduce(t, ops::ReduceSum, one, {1}, false));
  LAPIS_TRY(s.lengths, frontend::cast(t, total, DType::Int32));
  return s;
}

Result<Value*> rows_at(Translation& t, Value* x, Value* rows) {
  if (!x->type().ranked() || x->type().rank() != 3 || !x->type().dim(2).is_constant())
    return Translation::unsupported("a mask over steps with an open number of values");
  LAPIS_TRY(Value * all, frontend::reshape(t, x, {-1, x->type().dim(2).value()}));
  return t.add(ops::Gather, {all, rows}, ops::AxisAttrs{.axis = 0});
}

Result<Value*> spread(Translation& t, const Steps& s, Value* y, const Spread& how) {
  Value *place = s.before, *shown = s.counts;
  if (!how.backwards) {
    LAPIS_TRY(Value * one, frontend::cast(t, s.counts, DType::Int64));
    LAPIS_TRY(Value * until, t.add(ops::Add, {s.before, one}));
    if (!how.zeros) {
      LAPIS_TRY(shown, frontend::cast(t, until, DType::Bool));
    }
    LAPIS_TRY(place, t.add(ops::Sub, {until, frontend::scalar(t, 1, DType::Int64)}));
    LAPIS_TRY(place, t.add(ops::Max, {place, frontend::scalar(t, 0, DType::Int64)}));
  }
  LAPIS_TRY(Value * rows, t.add(ops::Add, {place, s.first}));
  LAPIS_TRY(y, rows_at(t, y, rows));
  if (how.backwards && !how.zeros) return y;  // what lies behind the steps that count is zeros already
  LAPIS_TRY(shown, frontend::unsqueeze(t, shown, {2}));
  return selected(t, shown, y);
}

Result<Value*> last_or_zeros(Translation& t, const Steps& s, Value* y) {
  LAPIS_TRY(Value * has_any, frontend::cast(t, s.lengths, DType::Bool));
  LAPIS_TRY(has_any, frontend::unsqueeze(t, has_any, {1}));
  return selected(t, has_any, y);
}

}  // namespace lapis::keras_frontend
