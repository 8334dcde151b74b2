// Sums, extremes and statistics over axes.
#include <algorithm>
#include <cmath>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

bool has_no_axes(const Value* x) { return x->type().ranked() && x->type().rank() == 0; }

// A tensor without axes has one of size 1 for who names it.
Result<Value*> over(Translation& t, const OpDef& op, Value* x, Axes axes, bool keepdim) {
  if (!has_no_axes(x)) return frontend::reduce(t, op, x, std::move(axes), keepdim);
  LAPIS_TRY(axes, frontend::axes_of(std::move(axes), 1));
  return frontend::reduce(t, op, x, {}, false);
}

// An empty list of axes means all of them, as none does.
Result<Value*> reduced(Translation& t, Args& a, const OpDef& op, Value* x) {
  Axes axes = a.list("dim");
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_CHECK(a.status());
  return over(t, op, x, std::move(axes), keepdim);
}

// What an operator makes along an axis of x, in its own shape: of a tensor without axes, of one with one.
template <class Make> Result<std::vector<Value*>> along(Translation& t, Value* x, Make&& make) {
  if (!has_no_axes(x)) return make(x);
  LAPIS_TRY(Value * row, frontend::reshape(t, x, {1}));
  LAPIS_TRY(std::vector<Value*> made, make(row));
  for (Value*& y : made) {
    LAPIS_TRY(y, t.add(ops::Reshape, {y, frontend::ints(t, {})}));
  }
  return made;
}

// ONNX orders numbers only: truth values as such, and back.
Result<Value*> orderable(Translation& t, Value* x) {
  return x->dtype() == DType::Bool ? frontend::cast(t, x, DType::UInt8) : Result<Value*>(x);
}

// Sums of integers and truth values are int64.
Status sum_of(Translation& t, const OpDef& op) {
  Args a(t);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, dtype.value_or(is_float(x->dtype()) ? x->dtype() : DType::Int64)));
  return finish(t, reduced(t, a, op, x));
}
Status sum(Translation& t) { return sum_of(t, ops::ReduceSum); }
Status prod(Translation& t) { return sum_of(t, ops::ReduceProd); }

Status mean(Translation& t) {
  Args a(t);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, dtype ? frontend::cast(t, x, *dtype) : as_real(t, x));
  return finish(t, reduced(t, a, ops::ReduceMean, x));
}

// Of truth values too.
Result<Value*> largest(Translation& t, Args& a, const OpDef& op, Value* x) {
  LAPIS_TRY(Value * ordered, orderable(t, x));
  LAPIS_TRY(Value * y, reduced(t, a, op, ordered));
  return frontend::cast(t, y, x->dtype());
}

template <const OpDef& Op> Status extreme(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, largest(t, a, Op, x));
}

Status logsumexp(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, reduced(t, a, ops::ReduceLogSumExp, x));
}

// The first one, if there are several.
Result<Value*> position_of(Translation& t, const OpDef& op, Value* x, int64_t dim, bool keepdim) {
  LAPIS_TRY(x, orderable(t, x));
  if (!has_no_axes(x)) return t.add(op, {x}, ops::ArgAttrs{dim, keepdim, false});
  LAPIS_TRY(Value * row, frontend::reshape(t, x, {1}));
  return t.add(op, {row}, ops::ArgAttrs{0, false, false});
}

// Three operators of one name: over all, over an axis with its positions, of two tensors.
Status extreme_or_pair(Translation& t, const OpDef& reduction, const OpDef& position, const OpDef& of_two) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (a.is_operand("other") || a.is_operand("dim")) {
    LAPIS_TRY(const Pair p, pair(t, a, "self", a.is_operand("other") ? "other" : "dim"));
    return finish(t, t.add(of_two, {p.a, p.b}));
  }
  LAPIS_TRY(Value * value, largest(t, a, reduction, x));
  LAPIS_CHECK(frontend::result(t, 0, value));
  if (!a.has("dim") || t.node().outputs.size() < 2) return ok();
  LAPIS_TRY(Value * at, position_of(t, position, x, a.integer("dim", 0), a.flag("keepdim", false)));
  return frontend::result(t, 1, at);
}
Status max(Translation& t) { return extreme_or_pair(t, ops::ReduceMax, ops::ArgMax, ops::Max); }
Status min(Translation& t) { return extreme_or_pair(t, ops::ReduceMin, ops::ArgMin, ops::Min); }

template <const OpDef& Op> Status arg(Translation& t) {
  Args a(t);
  const bool keepdim = a.flag("keepdim", false);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (a.has("dim")) return finish(t, position_of(t, Op, x, dim, keepdim));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  LAPIS_TRY(Value * at, position_of(t, Op, x, 0, false));
  return finish(t, keepdim ? frontend::reshape(t, at, Shape(static_cast<size_t>(rank), 1)) : Result<Value*>(at));
}

// Whether any, or all, are not 0; of bytes as a byte. An empty list of axes means none of them here.
template <const OpDef& Op> Status truth(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  const DType type = x->dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool;
  const bool is_of_each = a.has("dim") && a.list("dim").empty();
  LAPIS_TRY(Value * y, frontend::cast(t, x, DType::Bool));
  LAPIS_TRY(y, frontend::cast(t, y, DType::UInt8));  // of nothing the largest is 0, the smallest is not
  if (!is_of_each) {
    LAPIS_TRY(y, reduced(t, a, Op, y));
  }
  return finish(t, frontend::cast(t, y, type));
}

// How many elements one result is of, as a number of the type of x.
Result<Value*> elements_of(Translation& t, Value* x, const Axes& axes) {
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  if (!axes.empty()) {
    LAPIS_TRY(sizes, t.add(ops::Gather, {sizes, frontend::ints(t, axes)}));
  }
  LAPIS_TRY(Value * count, frontend::reduce(t, ops::ReduceProd, sizes, {}, false));
  return frontend::cast(t, count, x->dtype());
}

struct Moments {
  Value *mean, *variance;
};

// The mean of squares of distances from the mean, times n / (n - correction).
Result<Moments> moments(Translation& t, Args& a) {
  Axes axes = a.list("dim");
  const bool keepdim = a.flag("keepdim", false);
  const double correction = a.has("correction") ? a.number("correction", 1) : a.flag("unbiased", true) ? 1 : 0;
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(axes, frontend::axes_of(axes, rank));
  LAPIS_TRY(Value * center, frontend::reduce(t, ops::ReduceMean, x, axes, true));
  LAPIS_TRY(Value * away, t.add(ops::Sub, {x, center}));
  LAPIS_TRY(Value * squares, t.add(ops::Mul, {away, away}));
  Moments m{};
  LAPIS_TRY(m.variance, frontend::reduce(t, ops::ReduceMean, squares, axes, keepdim));
  LAPIS_TRY(m.mean, frontend::reduce(t, ops::ReduceMean, x, axes, keepdim));
  if (correction == 0) return m;
  LAPIS_TRY(Value * count, elements_of(t, x, axes));
  LAPIS_TRY(Value * fewer, t.add(ops::Sub, {count, number_like(t, correction, x)}));
  LAPIS_TRY(Value * factor, t.add(ops::Div, {count, fewer}));
  LAPIS_TRY(m.variance, t.add(ops::Mul, {m.variance, factor}));
  return m;
}

Status variance(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Moments m, moments(t, a));
  return frontend::result(t, 0, m.variance);
}

Status deviation(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Moments m, moments(t, a));
  return finish(t, t.add(ops::Sqrt, {m.variance}));
}

Status variance_and_mean(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Moments m, moments(t, a));
  return finish_some(t, {m.variance, m.mean});
}

Status norm(Translation& t) {
  Args a(t);
  const double order = a.number(a.has("ord") ? "ord" : "p", 2);
  LAPIS_CHECK(a.status());
  const auto dtype = a.dtype();
  Axes axes = a.list("dim");
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (dtype) {
    LAPIS_TRY(x, frontend::cast(t, x, *dtype));
  }
  return finish(t, norm_of(t, x, order, std::move(axes), keepdim));
}

template <class Make> Status finish_along(Translation& t, Value* x, Make&& make) {
  LAPIS_TRY(const std::vector<Value*> made, along(t, x, std::forward<Make>(make)));
  return finish_some(t, made);
}

Result<std::vector<Value*>> only(Result<Value*> y) {
  LAPIS_TRY(Value * value, std::move(y));
  return std::vector<Value*>{value};
}

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
  return accumulated(t, [&](Value* x, int64_t dim) {
    return only(t.add(ops::CumSum, {x, frontend::scalar(t, static_cast<double>(dim), DType::Int64)}));
  });
}

// x_1, x_1 x_2, x_1 x_2 x_3, ...: each times that of 1, 2, 4, ... places before.
Result<std::vector<Value*>> products(Translation& t, Value* x, int64_t dim) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& size = x->type().dim(axis);
  if (!size.is_constant()) return Translation::unsupported("an axis of open size");
  Formula f(t);
  std::vector<int64_t> pads(2 * static_cast<size_t>(rank));
  for (int64_t step = 1; step < size.value(); step *= 2) {
    pads[static_cast<size_t>(axis)] = step;
    Value* before = f.op(ops::Pad, {f.slice(x, axis, 0, -step), f.integers(pads), f.number(1, x->dtype())});
    x = f.mul(x, before);
  }
  LAPIS_CHECK(f.status());
  return std::vector<Value*>{x};
}

Status cumprod(Translation& t) {
  return accumulated(t, [&](Value* x, int64_t dim) { return products(t, x, dim); });
}

Status topk(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", -1);
  const bool largest = a.flag("largest", true), sorted = a.flag("sorted", true);
  LAPIS_TRY(const Size count, a.size("k", 1));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * k, as_value(t, count));
  return finish_along(t, x, [&](Value* y) {
    return t.add_all(ops::TopK, {y, k}, encode_attributes(ops::TopKAttrs{dim, largest, sorted}), 2);
  });
}

// All of an axis, in order; equal ones as they were.
Result<std::vector<Value*>> in_order(Translation& t, Value* x, int64_t dim, bool descending) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * size, frontend::slice(t, sizes, 0, axis, axis + 1));
  LAPIS_TRY(Value * ordered, orderable(t, x));
  LAPIS_TRY(std::vector<Value*> all,
            t.add_all(ops::TopK, {ordered, size}, encode_attributes(ops::TopKAttrs{axis, descending, true}), 2));
  LAPIS_TRY(all[0], frontend::cast(t, all[0], x->dtype()));
  return all;
}

Result<std::vector<Value*>> sorted(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", -1);
  const bool descending = a.flag("descending", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return along(t, x, [&](Value* y) { return in_order(t, y, dim, descending); });
}

Status sort(Translation& t) {
  LAPIS_TRY(const std::vector<Value*> all, sorted(t));
  return finish_some(t, all);
}

Status argsort(Translation& t) {
  LAPIS_TRY(const std::vector<Value*> all, sorted(t));
  return frontend::result(t, 0, all[1]);
}

// ---- medians --------------------------------------------------------------------------------------------------------

enum class Nans : uint8_t { Win, AreLeftOut };

// Where the median stands among elements in order, behind which what is no number is: the lower one of the two in the
// middle, int64[..., 1, ...] or int64[1].
Value* middle_of(Formula& f, Value* x, int64_t axis, Nans nans) {
  Value *one = f.number(1, DType::Int64), *two = f.number(2, DType::Int64);
  Value* size = f.size(x, axis);
  if (!is_float(x->dtype())) return f.div(f.sub(size, one), two);
  Value* is_none = f.cast(f.op(ops::IsNaN, {x}), DType::Int64);
  Value* none = f.op(ops::ReduceSum, {is_none, f.integers({axis})}, ops::ReduceAttrs{.keepdims = true});
  Value *numbers = f.sub(size, none), *zero = f.number(0, DType::Int64);
  if (nans == Nans::AreLeftOut) return f.div(f.max(f.sub(numbers, one), zero), two);
  return f.where(f.greater(none, zero), numbers, f.div(f.sub(size, one), two));
}

Result<std::vector<Value*>> median_along(Translation& t, Value* x, int64_t dim, bool keepdim, Nans nans) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(std::vector<Value*> found, in_order(t, x, axis, false));
  Formula f(t);
  Value* middle = middle_of(f, x, axis, nans);
  for (Value*& y : found) {
    y = is_float(x->dtype()) ? f.op(ops::GatherElements, {y, middle}, ops::AxisAttrs{axis}) : f.gather(y, middle, axis);
    if (!keepdim) y = f.squeeze(y, axis);
  }
  LAPIS_CHECK(f.status());
  return found;
}

// Of an axis with its position, or of all.
template <Nans nans> Status median(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (a.has("dim")) return finish_along(t, x, [&](Value* y) { return median_along(t, y, dim, keepdim, nans); });
  LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  LAPIS_TRY(const std::vector<Value*> found, median_along(t, x, 0, false, nans));
  return frontend::result(t, 0, found[0]);
}

constexpr AtenRow kRows[] = {
    {"aten.all", "self dim keepdim", truth<ops::ReduceMin>},
    {"aten.amax", "self dim keepdim", extreme<ops::ReduceMax>},
    {"aten.amin", "self dim keepdim", extreme<ops::ReduceMin>},
    {"aten.any", "self dim keepdim", truth<ops::ReduceMax>},
    {"aten.argmax", "self dim keepdim", arg<ops::ArgMax>},
    {"aten.argmin", "self dim keepdim", arg<ops::ArgMin>},
    {"aten.argsort", "self dim descending", argsort},
    {"aten.cumprod", "self dim *dtype", cumprod},
    {"aten.cumsum", "self dim *dtype", cumsum},
    {"aten.linalg_vector_norm", "self ord dim keepdim *dtype", norm},
    {"aten.logsumexp", "self dim keepdim", logsumexp},
    {"aten.max", "self dim keepdim", max},
    {"aten.mean", "self dim keepdim *dtype", mean},
    {"aten.median", "self dim keepdim", median<Nans::Win>},
    {"aten.min", "self dim keepdim", min},
    {"aten.nanmedian", "self dim keepdim", median<Nans::AreLeftOut>},
    {"aten.norm", "self p dim keepdim", norm},
    {"aten.prod", "self dim keepdim *dtype", prod},
    {"aten.sort", "self dim descending", sort},
    {"aten.std", "self dim unbiased keepdim *correction", deviation},
    {"aten.sum", "self dim keepdim *dtype", sum},
    {"aten.topk", "self k dim largest sorted", topk},
    {"aten.var", "self dim unbiased keepdim *correction", variance},
    {"aten.var_mean", "self dim unbiased keepdim *correction", variance_and_mean},
};

}  // namespace

Result<Value*> norm_of(Translation& t, Value* x, double order, Axes axes, bool keepdims) {
  if (order == 1) return over(t, ops::ReduceL1, x, std::move(axes), keepdims);
  if (order == 2) return over(t, ops::ReduceL2, x, std::move(axes), keepdims);
  LAPIS_TRY(Value * sizes, t.add(ops::Abs, {x}));
  if (std::isinf(order)) return over(t, order > 0 ? ops::ReduceMax : ops::ReduceMin, sizes, std::move(axes), keepdims);
  if (order == 0) {
    LAPIS_TRY(Value * some, frontend::cast(t, x, DType::Bool));
    LAPIS_TRY(some, frontend::cast(t, some, x->dtype()));
    return over(t, ops::ReduceSum, some, std::move(axes), keepdims);
  }
  LAPIS_TRY(Value * powers, t.add(ops::Pow, {sizes, number_like(t, order, x)}));
  LAPIS_TRY(Value * sum, over(t, ops::ReduceSum, powers, std::move(axes), keepdims));
  return t.add(ops::Pow, {sum, number_like(t, 1 / order, x)});
}

std::span<const AtenRow> reduction_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
