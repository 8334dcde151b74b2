// Sums, extremes and statistics over axes.
#include <algorithm>
#include <cmath>

#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

// An empty list of axes means all of them, as none does.
Result<Value*> reduced(Translation& t, Args& a, const OpDef& op, Value* x) {
  Axes axes = a.list("dim");
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_CHECK(a.status());
  return frontend::reduce(t, op, x, std::move(axes), keepdim);
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

template <const OpDef& Op> Status extreme(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, reduced(t, a, Op, x));
}

Status logsumexp(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, reduced(t, a, ops::ReduceLogSumExp, x));
}

// Three operators of one name: over all, over an axis with its positions, of two tensors.
Status extreme_or_pair(Translation& t, const OpDef& reduction, const OpDef& position, const OpDef& of_two) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (a.is_operand("other") || a.is_operand("dim")) {
    LAPIS_TRY(const Pair p, pair(t, a, "self", a.is_operand("other") ? "other" : "dim"));
    return finish(t, t.add(of_two, {p.a, p.b}));
  }
  LAPIS_TRY(Value * value, reduced(t, a, reduction, x));
  LAPIS_CHECK(frontend::result(t, 0, value));
  if (!a.has("dim") || t.node().outputs.size() < 2) return ok();
  const ops::ArgAttrs attributes{a.integer("dim", 0), a.flag("keepdim", false), false};
  LAPIS_TRY(Value * at, t.add(position, {x}, attributes));
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
  if (!a.has("dim")) {
    LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  }
  return finish(t, t.add(Op, {x}, ops::ArgAttrs{dim, keepdim, false}));
}

// Whether any, or all, are not 0.
template <const OpDef& Op> Status truth(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Bool));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Int32));
  LAPIS_TRY(Value * y, reduced(t, a, Op, x));
  return finish(t, frontend::cast(t, y, DType::Bool));
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
  LAPIS_TRY(Value * x, self(a));
  if (order == 1) return finish(t, reduced(t, a, ops::ReduceL1, x));
  if (order == 2) return finish(t, reduced(t, a, ops::ReduceL2, x));
  LAPIS_TRY(Value * sizes, t.add(ops::Abs, {x}));
  if (std::isinf(order)) return finish(t, reduced(t, a, order > 0 ? ops::ReduceMax : ops::ReduceMin, sizes));
  return Translation::unsupported("the norm " + std::to_string(order));
}

Status cumsum(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, dtype.value_or(is_float(x->dtype()) ? x->dtype() : DType::Int64)));
  return finish(t, t.add(ops::CumSum, {x, frontend::scalar(t, static_cast<double>(dim), DType::Int64)}));
}

Status topk(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", -1);
  const bool largest = a.flag("largest", true), sorted = a.flag("sorted", true);
  LAPIS_TRY(const Size count, a.size("k", 1));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * k, as_value(t, count));
  LAPIS_TRY(const std::vector<Value*> found,
            t.add_all(ops::TopK, {x, k}, encode_attributes(ops::TopKAttrs{dim, largest, sorted}), 2));
  return finish_some(t, found);
}

// All of an axis, in order.
Status sort(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", -1);
  const bool descending = a.flag("descending", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * size, frontend::slice(t, sizes, 0, axis, axis + 1));
  LAPIS_TRY(const std::vector<Value*> all,
            t.add_all(ops::TopK, {x, size}, encode_attributes(ops::TopKAttrs{axis, descending, true}), 2));
  return finish_some(t, all);
}

constexpr AtenRow kRows[] = {
    {"aten.all", "self dim keepdim", truth<ops::ReduceMin>},
    {"aten.amax", "self dim keepdim", extreme<ops::ReduceMax>},
    {"aten.amin", "self dim keepdim", extreme<ops::ReduceMin>},
    {"aten.any", "self dim keepdim", truth<ops::ReduceMax>},
    {"aten.argmax", "self dim keepdim", arg<ops::ArgMax>},
    {"aten.argmin", "self dim keepdim", arg<ops::ArgMin>},
    {"aten.cumsum", "self dim *dtype", cumsum},
    {"aten.linalg_vector_norm", "self ord dim keepdim *dtype", norm},
    {"aten.logsumexp", "self dim keepdim", logsumexp},
    {"aten.max", "self dim keepdim", max},
    {"aten.mean", "self dim keepdim *dtype", mean},
    {"aten.min", "self dim keepdim", min},
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

std::span<const AtenRow> reduction_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
