// What each element is together with all before it on an axis: sums, products, extremes.
#include "frontends/pytorch/along.h"
#include "frontends/pytorch/formulas.h"

namespace lapis::pytorch_frontend {
namespace {

// What make(x, dim) makes of all that stands before each element, in the type that the call names. Integers have 64
// bits where it names none.
template <class Make> Status accumulated(Translation& t, Make make) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, dtype.value_or(is_float(x->dtype()) ? x->dtype() : DType::Int64)));
  return finish_along(t, x, [&](Value* y) { return make(y, dim); });
}

Status cumsum(Translation& t) {
  return accumulated(t, [&](Value* x, int64_t dim) -> Result<std::vector<Value*>> {
    LAPIS_TRY(Value * y, t.add(ops::CumSum, {x, frontend::scalar(t, static_cast<double>(dim), DType::Int64)}));
    return std::vector<Value*>{y};
  });
}

// Values that run along an axis together, and what changes none of them.
struct Run {
  std::vector<Value*> values, neutral;
};

// Each combined with those 1, 2, 4, ... places before; combine(before, here).
template <class Combine> Result<std::vector<Value*>> doubled(Formula& f, Run run, int64_t dim, Combine combine) {
  LAPIS_CHECK(f.status());
  LAPIS_TRY(const int64_t rank, frontend::rank_of(run.values[0]));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& size = run.values[0]->type().dim(axis);
  if (!size.is_constant()) return Translation::unsupported("an axis of open size");
  std::vector<int64_t> pads(2 * static_cast<size_t>(rank));
  for (int64_t step = 1; step < size.value(); step *= 2) {
    pads[static_cast<size_t>(axis)] = step;
    std::vector<Value*> before;
    for (size_t i = 0; i < run.values.size(); ++i) {
      Value* kept = f.slice(run.values[i], axis, 0, -step);
      before.push_back(f.op(ops::Pad, {kept, f.integers(pads), run.neutral[i]}));
    }
    run.values = combine(before, run.values);
  }
  LAPIS_CHECK(f.status());
  return run.values;
}

template <class Combine>
Result<std::vector<Value*>> doubled(Translation& t, Value* x, double neutral, int64_t dim, Combine combine) {
  Formula f(t);
  Run run{{x}, {f.number(neutral, x->dtype())}};
  using Values = std::vector<Value*>;
  return doubled(f, run, dim,
                 [&](const Values& before, const Values& here) { return Values{combine(f, before[0], here[0])}; });
}

Status cumprod(Translation& t) {
  return accumulated(t, [&](Value* x, int64_t dim) {
    return doubled(t, x, 1, dim, [](Formula& f, Value* a, Value* b) { return f.mul({a, b}); });
  });
}

Status logcumsumexp(Translation& t) {
  return accumulated(t, [&](Value* x, int64_t dim) { return doubled(t, x, -kInfinity, dim, log_of_sum); });
}

// What is further than every number of a type.
Value* beyond(Formula& f, DType type, bool above) {
  if (is_float(type)) return f.number(above ? kInfinity : -kInfinity, type);
  const IntegerRange range = integer_range(type);
  return f.number(above ? static_cast<double>(range.highest) : static_cast<double>(range.lowest), type);
}

// The numbers of the places on an axis, in the shape of x.
Value* places_on(Formula& f, Value* x, int64_t axis, int64_t rank) {
  Value* numbers = f.range(f.size(x, axis));
  for (int64_t behind = axis + 1; behind < rank; ++behind) numbers = f.unsqueeze(numbers, {-1});
  return f.op(ops::Expand, {numbers, f.op(ops::ShapeOf, {x})});
}

// With the place of the last one of them; from one on that is no number, none is.
template <const OpDef& Precedes> Result<std::vector<Value*>> extremes(Translation& t, Value* x, int64_t dim) {
  Formula f(t);
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(Value * ordered, orderable(t, x));
  const DType type = ordered->dtype();
  const bool has_nan = is_float(type);
  const Run run{{ordered, places_on(f, x, axis, rank)},
                {beyond(f, type, &Precedes == &ops::LessOrEqual), f.number(0, DType::Int64)}};
  const auto combine = [&](const std::vector<Value*>& before, const std::vector<Value*>& here) {
    Value* moves_on = f.op(Precedes, {here[0], before[0]});
    if (has_nan) {
      Value* stays = f.op(ops::IsNaN, {before[0]});
      moves_on = f.op(ops::Or, {f.op(ops::IsNaN, {here[0]}), f.both({moves_on, f.opposite(stays)})});
    }
    return std::vector<Value*>{f.where({moves_on, here[0], before[0]}), f.where({moves_on, here[1], before[1]})};
  };
  LAPIS_TRY(std::vector<Value*> found, doubled(f, run, axis, combine));
  LAPIS_TRY(found[0], frontend::cast(t, found[0], x->dtype()));
  return found;
}

template <const OpDef& Precedes> Status running_extremes(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish_along(t, x, [&](Value* y) { return extremes<Precedes>(t, y, dim); });
}

constexpr AtenRow kRows[] = {
    {"aten.cummax", "self dim", running_extremes<ops::GreaterOrEqual>},
    {"aten.cummin", "self dim", running_extremes<ops::LessOrEqual>},
    {"aten.cumprod", "self dim *dtype", cumprod},
    {"aten.cumsum", "self dim *dtype", cumsum},
    {"aten.logcumsumexp", "self dim", logcumsumexp},
};

}  // namespace

std::span<const AtenRow> running_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
