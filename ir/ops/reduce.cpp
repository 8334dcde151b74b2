// The reductions: ten records that differ in the function that turns a group of elements into one.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- the functions: T is double for floats, else int64 or uint64 --------------------------------------------------

template <class T> using Group = std::span<const T>;

// Of the element type: what the maximum and the minimum of nothing are.
template <class T> struct Limits { T lowest, highest; };

// Integers wrap around: through their unsigned twin, where that is defined.
template <class T> auto wrapped(T v) {
  if constexpr (std::is_floating_point_v<T>)
    return v;
  else
    return static_cast<uint64_t>(v);
}

struct SumOf {
  template <class T> T operator()(Group<T> group, Limits<T> = {}) const {
    decltype(wrapped(T())) sum = 0;
    for (T v : group) sum += wrapped(v);
    return static_cast<T>(sum);
  }
};
struct ProductOf {
  template <class T> T operator()(Group<T> group, Limits<T>) const {
    decltype(wrapped(T())) product = 1;
    for (T v : group) product *= wrapped(v);
    return static_cast<T>(product);
  }
};
struct SumSquareOf {
  template <class T> T operator()(Group<T> group, Limits<T> = {}) const {
    decltype(wrapped(T())) sum = 0;
    for (T v : group) sum += wrapped(v) * wrapped(v);
    return static_cast<T>(sum);
  }
};
struct L1Of {
  template <class T> T operator()(Group<T> group, Limits<T>) const {
    decltype(wrapped(T())) sum = 0;
    for (T v : group) sum += v < T(0) ? decltype(sum)(0) - wrapped(v) : wrapped(v);
    return static_cast<T>(sum);
  }
};
struct MeanOf {
  template <class T> T operator()(Group<T> group, Limits<T>) const {
    return quotient(SumOf()(group), static_cast<T>(group.size()));
  }
};
struct MaximumOf {
  template <class T> T operator()(Group<T> group, Limits<T> limits) const {
    return std::accumulate(group.begin(), group.end(), limits.lowest, max_of<T>);
  }
};
struct MinimumOf {
  template <class T> T operator()(Group<T> group, Limits<T> limits) const {
    return std::accumulate(group.begin(), group.end(), limits.highest, min_of<T>);
  }
};

// Real numbers, of integers too: converted as Cast does.
struct L2Of {
  template <class T> double operator()(Group<T> group, Limits<T>) const {
    return std::sqrt(static_cast<double>(SumSquareOf()(group)));
  }
};
struct LogSumOf {
  template <class T> double operator()(Group<T> group, Limits<T>) const {
    return std::log(static_cast<double>(SumOf()(group)));
  }
};
struct LogSumExpOf {  // the largest element is taken out first: exp would overflow
  template <class T> double operator()(Group<T> group, Limits<T> limits) const {
    const auto highest = static_cast<double>(MaximumOf()(group, limits));
    if (group.empty() || !std::isfinite(highest)) return group.empty() ? -INFINITY : highest;
    double sum = 0;
    for (T v : group) sum += std::exp(static_cast<double>(v) - highest);
    return highest + std::log(sum);
  }
};

// ---- axes ---------------------------------------------------------------------------------------------------------

// Which axes go: all of them if none are named, unless that means "none" (noop_with_empty_axes).
std::vector<bool> reduced_axes(const std::vector<int64_t>& axes, int64_t rank, bool noop) {
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !noop);
  for (int64_t axis : axes) reduced[static_cast<size_t>(normalized(axis, rank))] = true;
  return reduced;
}

Result<Types> infer_reduce(const InferContext& c) {
  const ReduceAttrs a = c.attrs<ReduceAttrs>();
  const Type& x = c.in(0);
  const Tensor* named = c.has(1) ? c.constant(1) : nullptr;
  if (c.has(1) && !named && x.ranked() && a.keepdims) return Types{Type::tensor(x.dtype, Dims(x.dims->size()))};
  if (!x.ranked() || (c.has(1) && !named)) return Types{Type::tensor(x.dtype)};
  const std::vector<int64_t> axes = named ? named->as_ints() : std::vector<int64_t>();
  for (int64_t axis : axes) LAPIS_CHECK(status_of(c.axis(axis, x.rank()).diagnostics()));
  const std::vector<bool> reduced = reduced_axes(axes, x.rank(), a.noop_with_empty_axes);
  Dims dims;
  for (size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i])
      dims.push_back((*x.dims)[i]);
    else if (a.keepdims)
      dims.push_back(1);
  }
  return Types{Type::tensor(x.dtype, dims)};
}

// ---- evaluation ---------------------------------------------------------------------------------------------------

struct Plan {
  Shape y_shape;              // as the operator returns it
  std::vector<size_t> group;  // for each element of x: the element of y it goes into
  size_t groups = 1;
};

Plan plan_of(const Shape& x, const std::vector<bool>& reduced, bool keepdims) {
  Plan plan;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!reduced[i]) plan.groups *= static_cast<size_t>(x[i]);
    if (!reduced[i] || keepdims) plan.y_shape.push_back(reduced[i] ? 1 : x[i]);
  }
  Shape index(x.size(), 0);
  if (element_count(x) == 0) return plan;
  do {
    int64_t at = 0;
    for (size_t i = 0; i < x.size(); ++i)
      if (!reduced[i]) at = at * x[i] + index[i];
    plan.group.push_back(static_cast<size_t>(at));
  } while (next_index(index, x));
  return plan;
}

template <class T, class F> auto reduce_groups(const Plan& plan, const std::vector<T>& x, Limits<T> limits, F reduce) {
  std::vector<std::vector<T>> groups(plan.groups);
  for (size_t i = 0; i < x.size(); ++i) groups[plan.group[i]].push_back(x[i]);
  std::vector<decltype(reduce(Group<T>(), limits))> y;
  for (const std::vector<T>& group : groups) y.push_back(reduce(Group<T>(group), limits));
  return y;
}

// Results of integers are cut down to the element type again; real numbers are converted to it.
template <class T> Tensor result_of(DType dtype, const Shape& shape, const std::vector<T>& y) {
  if constexpr (std::is_floating_point_v<T>)
    return from_doubles(dtype, shape, y);
  else
    return from_integers(dtype, shape, std::vector<int64_t>(y.begin(), y.end()));
}

template <class F> Tensor reduce_integers(const Plan& plan, const Tensor& x, F reduce) {
  const IntegerRange range = x.dtype() == DType::Bool ? IntegerRange{0, 1} : integer_range(x.dtype());
  const std::vector<int64_t> values = to_integers(x);
  if (is_integer(x.dtype()) && is_signed(x.dtype())) {
    const Limits<int64_t> limits{range.lowest, static_cast<int64_t>(range.highest)};
    return result_of(x.dtype(), plan.y_shape, reduce_groups(plan, values, limits, reduce));
  }
  const Limits<uint64_t> limits{0, range.highest};
  const std::vector<uint64_t> bits(values.begin(), values.end());
  return result_of(x.dtype(), plan.y_shape, reduce_groups(plan, bits, limits, reduce));
}

template <class F> Tensor reduce_floats(const Plan& plan, const Tensor& x, F reduce) {
  return result_of(x.dtype(), plan.y_shape,
                   reduce_groups(plan, to_doubles(x), Limits<double>{-INFINITY, INFINITY}, reduce));
}

template <class F> Status evaluate_reduce(EvalContext& c) {
  const ReduceAttrs a = c.attrs<ReduceAttrs>();
  const Tensor& x = c.in(0);
  const std::vector<int64_t> axes = c.has(1) ? c.in(1).as_ints() : std::vector<int64_t>();
  for (int64_t axis : axes)
    if (axis < -x.rank() || axis >= x.rank())
      return c.error("axis " + std::to_string(axis) + " is out of range for " + Type::of(x).to_string());
  const Plan plan = plan_of(x.shape(), reduced_axes(axes, x.rank(), a.noop_with_empty_axes), a.keepdims);
  c.set_out(0, is_float(x.dtype()) ? reduce_floats(plan, x, F()) : reduce_integers(plan, x, F()));
  return ok();
}

// ---- records ------------------------------------------------------------------------------------------------------

constexpr TypeSet kWide = kFloats | types(DType::Int32, DType::Int64, DType::UInt32, DType::UInt64);
constexpr TypeSet kOrdered = kWide | types(DType::Int8, DType::UInt8, DType::Bool);

template <class F>
OpBuilder reduction(std::string_view name, int since, std::string_view doc, TypeSet allowed = kWide) {
  return op(name)
      .since(since)
      .doc(doc)
      .in("data", allowed)
      .optional_in("axes", types(DType::Int64))
      .out("reduced", allowed)
      .attrs<ReduceAttrs>()
      .infer(infer_reduce)
      .evaluate(evaluate_reduce<F>)
      .traits(Trait::Pure | Trait::Reduction);
}

}  // namespace

const OpDef ReduceL1 = reduction<L1Of>("ReduceL1", 18, "Sum of absolute values over axes.");
const OpDef ReduceL2 = reduction<L2Of>("ReduceL2", 18, "Square root of the sum of squares over axes.");
const OpDef ReduceLogSum = reduction<LogSumOf>("ReduceLogSum", 18, "Logarithm of the sum over axes.");
const OpDef ReduceLogSumExp =
    reduction<LogSumExpOf>("ReduceLogSumExp", 18, "Logarithm of the sum of exponentials over axes.");
const OpDef ReduceMax = reduction<MaximumOf>("ReduceMax", 20, "Maximum over axes.", kOrdered)
                            .quant(Quant::SharedScale)
                            .traits(Trait::Pure | Trait::Reduction | Trait::ValuePreserving);
const OpDef ReduceMean = reduction<MeanOf>("ReduceMean", 18, "Mean over axes.").quant(Quant::Average);
const OpDef ReduceMin = reduction<MinimumOf>("ReduceMin", 20, "Minimum over axes.", kOrdered)
                            .quant(Quant::SharedScale)
                            .traits(Trait::Pure | Trait::Reduction | Trait::ValuePreserving);
const OpDef ReduceProd = reduction<ProductOf>("ReduceProd", 18, "Product over axes.");
const OpDef ReduceSum = reduction<SumOf>("ReduceSum", 13, "Sum over axes.");
const OpDef ReduceSumSquare = reduction<SumSquareOf>("ReduceSumSquare", 18, "Sum of squares over axes.");

}  // namespace lapis::ops
