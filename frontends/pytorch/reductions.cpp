// Sums, extremes and statistics over axes.
#include <algorithm>
#include <cmath>

#include "frontends/common/formula.h"
#include "frontends/pytorch/along.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

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

// 0 for what is no number.
Value* numbers_of(Formula& f, Value* x) {
  return is_float(x->dtype()) ? f.where({f.op(ops::IsNaN, {x}), f.number(0, x->dtype()), x}) : x;
}

Status nansum(Translation& t) {
  Args a(t);
  Formula f(t);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  Value* numbers = numbers_of(f, x);
  LAPIS_CHECK(f.status());
  LAPIS_TRY(x, frontend::cast(t, numbers, dtype.value_or(is_float(x->dtype()) ? x->dtype() : DType::Int64)));
  return finish(t, reduced(t, a, ops::ReduceSum, x));
}

// How many are not 0.
Status count_nonzero(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Bool));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Int64));
  return finish(t, reduced(t, a, ops::ReduceSum, x));
}

// Of those that are numbers, by how many they are.
Status nanmean(Translation& t) {
  Args a(t);
  Formula f(t);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, dtype ? frontend::cast(t, x, *dtype) : as_real(t, x));
  Value* numbers = numbers_of(f, x);
  Value* counted = f.cast(f.opposite(f.op(ops::IsNaN, {x})), x->dtype());
  LAPIS_CHECK(f.status());
  LAPIS_TRY(Value * sum, reduced(t, a, ops::ReduceSum, numbers));
  LAPIS_TRY(Value * count, reduced(t, a, ops::ReduceSum, counted));
  return finish(t, t.add(ops::Div, {sum, count}));
}

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

// The smallest and the largest.
Status extremes(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * least, largest(t, a, ops::ReduceMin, x));
  LAPIS_TRY(Value * most, largest(t, a, ops::ReduceMax, x));
  return finish_some(t, {least, most});
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

Status deviation_and_mean(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Moments m, moments(t, a));
  LAPIS_TRY(Value * deviation, t.add(ops::Sqrt, {m.variance}));
  return finish_some(t, {deviation, m.mean});
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

constexpr AtenRow kRows[] = {
    {"aten.all", "self dim keepdim", truth<ops::ReduceMin>},
    {"aten.amax", "self dim keepdim", extreme<ops::ReduceMax>},
    {"aten.amin", "self dim keepdim", extreme<ops::ReduceMin>},
    {"aten.aminmax", "self *dim keepdim", extremes},
    {"aten.any", "self dim keepdim", truth<ops::ReduceMax>},
    {"aten.argmax", "self dim keepdim", arg<ops::ArgMax>},
    {"aten.argmin", "self dim keepdim", arg<ops::ArgMin>},
    {"aten.count_nonzero", "self dim", count_nonzero},
    {"aten.linalg_vector_norm", "self ord dim keepdim *dtype", norm},
    {"aten.logsumexp", "self dim keepdim", logsumexp},
    {"aten.max", "self dim keepdim", max},
    {"aten.mean", "self dim keepdim *dtype", mean},
    {"aten.min", "self dim keepdim", min},
    {"aten.nanmean", "self dim keepdim *dtype", nanmean},
    {"aten.nansum", "self dim keepdim *dtype", nansum},
    {"aten.norm", "self p dim keepdim", norm},
    {"aten.prod", "self dim keepdim *dtype", prod},
    {"aten.std", "self dim unbiased keepdim *correction", deviation},
    {"aten.std_mean", "self dim unbiased keepdim *correction", deviation_and_mean},
    {"aten.sum", "self dim keepdim *dtype", sum},
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
