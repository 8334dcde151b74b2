// Operators along one axis that select or accumulate: ArgMax, ArgMin, TopK, CumSum.
#include <algorithm>
#include <numeric>

#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// Runs f(values) with the elements in a type that orders them exactly: double, int64 or uint64.
template <class F> void visit_ordered(const Tensor& x, F&& f) {
  if (is_float(x.dtype())) return f(to_doubles(x));
  const std::vector<int64_t> values = to_integers(x);
  if (x.dtype() == DType::UInt64) return f(std::vector<uint64_t>(values.begin(), values.end()));
  f(values);
}

// ---- ArgMax, ArgMin -----------------------------------------------------------------------------------------------

Result<Types> infer_arg(const InferContext& c) {
  const ArgAttrs a = c.attrs<ArgAttrs>();
  const Type& x = c.in(0);
  if (!x.ranked()) return Types{Type::tensor(DType::Int64)};
  LAPIS_TRY(const int64_t axis, c.axis(a.axis, x.rank()));
  Dims dims = *x.dims;
  if (a.keepdims)
    dims[static_cast<size_t>(axis)] = 1;
  else
    dims.erase(dims.begin() + axis);
  return Types{Type::tensor(DType::Int64, dims)};
}

template <bool maximum> Status evaluate_arg(EvalContext& c) {
  const ArgAttrs a = c.attrs<ArgAttrs>();
  const Tensor& x = c.in(0);
  const int64_t axis = normalized(a.axis, x.rank());
  if (x.dim(axis) == 0)
    return c.error("there is no extremum along axis " + std::to_string(axis) + " of " + Type::of(x).to_string());
  std::vector<int64_t> indices;
  visit_ordered(x, [&](auto values) {
    for (const auto& line : lines_along(values, x.shape(), axis)) {
      int64_t best = 0;
      for (int64_t i = 1; i < line.size(); ++i) {
        const auto x_i = line[i], x_best = line[best];
        const bool both_nan = is_nan(x_i) && is_nan(x_best);
        const bool better = maximum || is_nan(x_i) ? above(x_i, x_best) : x_i < x_best;  // NaN is either extremum
        if (better || (a.select_last_index && (x_i == x_best || both_nan))) best = i;
      }
      indices.push_back(best);
    }
  });
  Shape shape = x.shape();
  if (a.keepdims)
    shape[static_cast<size_t>(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  c.set_out(0, from_integers(DType::Int64, shape, indices));
  return ok();
}

// ---- TopK ---------------------------------------------------------------------------------------------------------

Result<Types> infer_topk(const InferContext& c) {
  const Type& x = c.in(0);
  if (!x.ranked()) return Types{x, Type::tensor(DType::Int64)};
  LAPIS_TRY(const int64_t axis, c.axis(c.attrs<TopKAttrs>().axis, x.rank()));
  const auto k = c.contents(1);
  Dims dims = *x.dims;
  Dim& extent = dims[static_cast<size_t>(axis)];
  const Dim wanted = k && k->size() == 1 ? (*k)[0] : Dim::unknown();
  if (wanted.is_constant() && extent.is_constant() && (wanted.value() > extent.value() || wanted.value() < 0))
    return c.error("k is " + wanted.to_string() + " but axis " + std::to_string(axis) + " of " + x.to_string() +
                   " has " + extent.to_string() + " elements");
  extent = wanted;
  return Types{Type::tensor(x.dtype, dims), Type::tensor(DType::Int64, dims)};
}

// The indices of the k best elements of a line, best first; equal ones in their order. NaN is the largest of all.
template <class T> std::vector<int64_t> best_of(const Line<T>& line, int64_t k, bool largest) {
  std::vector<int64_t> order(static_cast<size_t>(line.size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return largest ? above(line[a], line[b]) : above(line[b], line[a]); });
  order.resize(static_cast<size_t>(k));
  return order;
}

Status evaluate_topk(EvalContext& c) {
  const TopKAttrs a = c.attrs<TopKAttrs>();
  const Tensor& x = c.in(0);
  const int64_t axis = normalized(a.axis, x.rank()), k = c.in(1).as_int(0);
  if (k < 0 || k > x.dim(axis))
    return c.error("k is " + std::to_string(k) + " but axis " + std::to_string(axis) + " of " +
                   Type::of(x).to_string() + " is shorter");
  Shape shape = x.shape();
  shape[static_cast<size_t>(axis)] = k;
  std::vector<int64_t> indices(static_cast<size_t>(element_count(shape)));
  const auto index_lines = lines_along(indices, shape, axis);
  visit_ordered(x, [&](auto values) {
    using T = typename decltype(values)::value_type;
    std::vector<T> best(indices.size());
    const auto from = lines_along(values, x.shape(), axis), to = lines_along(best, shape, axis);
    for (size_t line = 0; line < from.size(); ++line) {
      const std::vector<int64_t> order = best_of(from[line], k, a.largest);
      for (int64_t i = 0; i < k; ++i) {
        index_lines[line][i] = order[static_cast<size_t>(i)];
        to[line][i] = from[line][order[static_cast<size_t>(i)]];
      }
    }
    if constexpr (std::is_same_v<T, double>)
      c.set_out(0, from_doubles(x.dtype(), shape, best));
    else
      c.set_out(0, from_integers(x.dtype(), shape, std::vector<int64_t>(best.begin(), best.end())));
  });
  c.set_out(1, from_integers(DType::Int64, shape, indices));
  return ok();
}

// ---- CumSum -------------------------------------------------------------------------------------------------------

Result<Types> infer_cumsum(const InferContext& c) {
  const Tensor* axis = c.constant(1);
  if (axis && c.in(0).ranked()) LAPIS_CHECK(status_of(c.axis(axis->as_int(0), c.in(0).rank()).diagnostics()));
  return Types{c.in(0)};
}

// T is double, or uint64 so that integers wrap around.
template <class T> void accumulate(const Line<T>& line, const CumSumAttrs& a) {
  T sum = 0;
  for (int64_t step = 0; step < line.size(); ++step) {
    T& element = line[a.reverse ? line.size() - 1 - step : step];
    const T before = sum;
    sum += element;
    element = a.exclusive ? before : sum;
  }
}

Status evaluate_cumsum(EvalContext& c) {
  const CumSumAttrs a = c.attrs<CumSumAttrs>();
  const Tensor& x = c.in(0);
  const int64_t axis = c.in(1).as_int(0);
  if (axis < -x.rank() || axis >= x.rank())
    return c.error("axis " + std::to_string(axis) + " is out of range for " + Type::of(x).to_string());
  if (x.size() == 0) return c.set_out(0, x), ok();  // of any number of lines
  if (is_float(x.dtype())) {
    std::vector<double> values = to_doubles(x);
    for (const auto& line : lines_along(values, x.shape(), axis)) accumulate(line, a);
    c.set_out(0, from_doubles(x.dtype(), x.shape(), values));
    return ok();
  }
  const std::vector<int64_t> integers = to_integers(x);
  std::vector<uint64_t> values(integers.begin(), integers.end());
  for (const auto& line : lines_along(values, x.shape(), axis)) accumulate(line, a);
  c.set_out(0, from_integers(x.dtype(), x.shape(), std::vector<int64_t>(values.begin(), values.end())));
  return ok();
}

constexpr TypeSet kWide = kFloats | types(DType::Int32, DType::Int64, DType::UInt32, DType::UInt64);

}  // namespace

const OpDef ArgMax = op("ArgMax")
                         .since(13)
                         .doc("Index of the largest element along an axis.")
                         .in("data", kNumbers)
                         .out("reduced", types(DType::Int64))
                         .attrs<ArgAttrs>()
                         .infer(infer_arg)
                         .evaluate(evaluate_arg<true>)
                         .traits(Trait::Pure | Trait::Reduction);

const OpDef ArgMin = op("ArgMin")
                         .since(13)
                         .doc("Index of the smallest element along an axis.")
                         .in("data", kNumbers)
                         .out("reduced", types(DType::Int64))
                         .attrs<ArgAttrs>()
                         .infer(infer_arg)
                         .evaluate(evaluate_arg<false>)
                         .traits(Trait::Pure | Trait::Reduction);

const OpDef CumSum = op("CumSum")
                         .since(14)
                         .doc("Running sum along an axis, in either direction.")
                         .in("x", kWide)
                         .in("axis", kIndices)
                         .out("y", kWide)
                         .attrs<CumSumAttrs>()
                         .infer(infer_cumsum)
                         .evaluate(evaluate_cumsum)
                         .traits(Trait::Pure);

const OpDef TopK = op("TopK")
                       .since(24)
                       .doc("The k largest or smallest elements along an axis and their indices.")
                       .in("X", kNumbers)
                       .in("K", types(DType::Int64))
                       .out("Values", kNumbers)
                       .out("Indices", types(DType::Int64))
                       .attrs<TopKAttrs>()
                       .infer(infer_topk)
                       .evaluate(evaluate_topk)
                       .traits(Trait::Pure);

}  // namespace lapis::ops
