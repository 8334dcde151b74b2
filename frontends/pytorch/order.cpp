// Operators that bring the elements of an axis in order: sorting, and what stands at a place of that order.
#include <algorithm>

#include "frontends/pytorch/along.h"
#include "frontends/pytorch/formulas.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

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

// Along the first axis.
Status msort(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish_along(t, x, [&](Value* y) { return in_order(t, y, 0, false); });
}

Status argsort(Translation& t) {
  LAPIS_TRY(const std::vector<Value*> all, sorted(t));
  return frontend::result(t, 0, all[1]);
}

// Of values along an axis those at one place, int64[1] or int64[..., 1, ...].
Result<std::vector<Value*>> taken(Formula& f, std::vector<Value*> values, Value* at, int64_t axis, bool keepdim) {
  LAPIS_CHECK(f.status());
  for (Value*& y : values) {
    y = at->type().rank() == y->type().rank() && at->type().rank() > 1
            ? f.op(ops::GatherElements, {y, at}, ops::AxisAttrs{axis})
            : f.gather(y, at, axis);
    if (!keepdim) y = f.squeeze(y, axis);
  }
  LAPIS_CHECK(f.status());
  return values;
}

// The one at place k from 1 on, and where it stood.
Status kthvalue(Translation& t) {
  Args a(t);
  Formula f(t);
  const int64_t dim = a.integer("dim", -1);
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_TRY(const Size k, a.size("k", 1));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * number, as_value(t, k));
  Value* at = f.sub({number, f.integers({1})});
  return finish_along(t, x, [&](Value* y) -> Result<std::vector<Value*>> {
    LAPIS_TRY(const int64_t rank, frontend::rank_of(y));
    LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
    LAPIS_TRY(std::vector<Value*> all, in_order(t, y, axis, false));
    return taken(f, std::move(all), at, axis, keepdim);
  });
}

// ---- medians --------------------------------------------------------------------------------------------------------

enum class Nans : uint8_t { Win, AreLeftOut };

// Where the median stands among elements in order, behind which what is no number is: the lower one of the two in the
// middle, int64[..., 1, ...] or int64[1].
Value* middle_of(Formula& f, Value* x, int64_t axis, Nans nans) {
  Value *one = f.number(1, DType::Int64), *two = f.number(2, DType::Int64);
  Value* size = f.size(x, axis);
  if (!is_float(x->dtype())) return f.div({f.sub({size, one}), two});
  Value* is_none = f.cast(f.op(ops::IsNaN, {x}), DType::Int64);
  Value* none = f.op(ops::ReduceSum, {is_none, f.integers({axis})}, ops::ReduceAttrs{.keepdims = true});
  Value *numbers = f.sub({size, none}), *zero = f.number(0, DType::Int64);
  if (nans == Nans::AreLeftOut) return f.div({f.max({f.sub({numbers, one}), zero}), two});
  return f.where({f.greater({none, zero}), numbers, f.div({f.sub({size, one}), two})});
}

Result<std::vector<Value*>> median_along(Translation& t, Value* x, int64_t dim, bool keepdim, Nans nans) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(std::vector<Value*> found, in_order(t, x, axis, false));
  Formula f(t);
  return taken(f, found, middle_of(f, x, axis, nans), axis, keepdim);
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

// ---- quantiles ------------------------------------------------------------------------------------------------------

// Numbers in order along the last axis, and how many of them count: all, or those that are numbers.
struct Ordered {
  Value *numbers, *last;  // [..., n], and the place of the last one that counts, [1] or [..., 1], as a number
};

Result<Ordered> ordered_last(Translation& t, Formula& f, Value* x, int64_t axis, Nans nans) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  Axes perm;
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis) perm.push_back(i);
  perm.push_back(axis);
  LAPIS_TRY(x, frontend::transpose(t, x, perm));
  LAPIS_TRY(const std::vector<Value*> found, in_order(t, x, rank - 1, false));
  constexpr DType type = DType::Float64;  // as PyTorch computes places
  Value* last = f.sub({f.cast(f.size(x, rank - 1), type), f.number(1, type)});
  if (nans == Nans::Win) return Ordered{found[0], last};
  Value* is_none = f.cast(f.op(ops::IsNaN, {x}), type);
  Value* none = f.op(ops::ReduceSum, {is_none, f.integers({-1})}, ops::ReduceAttrs{.keepdims = true});
  return Ordered{found[0], f.max({f.sub({last, none}), f.number(0, type)})};
}

// Between the two numbers around each place, [..., places].
Value* read_at(Formula& f, Value* numbers, Value* places, const std::string& interpolation) {
  if (interpolation == "nearest") places = f.op(ops::Round, {places});
  if (interpolation == "lower") places = f.op(ops::Floor, {places});
  if (interpolation == "higher") places = f.op(ops::Ceil, {places});
  const auto at = [&](Value* place) {
    return f.op(ops::GatherElements, {numbers, f.cast(place, DType::Int64)}, ops::AxisAttrs{-1});
  };
  Value *below = f.op(ops::Floor, {places}), *above = f.op(ops::Ceil, {places});
  if (interpolation != "linear" && interpolation != "midpoint") return at(below);
  const DType type = numbers->dtype();
  Value* weight = interpolation == "midpoint" ? f.number(0.5, type) : f.cast(f.sub({places, below}), type);
  return between(f, at(below), at(above), weight);
}

// Of an axis, or of all; several quantiles stand on a new first axis.
template <Nans nans> Status quantile(Translation& t) {
  Args a(t);
  Formula f(t);
  const std::string interpolation = a.word("interpolation", "linear");
  const int64_t dim = a.integer("dim", 0);
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * q, a.number_or_tensor("q", x->dtype()));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t shares, frontend::rank_of(q));
  LAPIS_TRY(int64_t axis, frontend::axis_of(dim, std::max<int64_t>(rank, 1)));
  const bool is_of_all = !a.has("dim") || rank == 0;
  if (is_of_all) axis = 0;
  Value* row = is_of_all ? f.reshape(x, {-1}) : x;
  LAPIS_TRY(const Ordered ordered, ordered_last(t, f, row, axis, nans));
  Value* places = f.mul({f.cast(f.reshape(q, {-1}), DType::Float64), ordered.last});
  if (nans == Nans::Win) {
    Value* is_none = f.op(ops::IsNaN, {f.slice(ordered.numbers, -1, -1, INT64_MAX)});
    places = f.where({is_none, ordered.last, places});
  }
  Value* y = read_at(f, ordered.numbers, places, interpolation);
  LAPIS_CHECK(f.status());
  LAPIS_TRY(const int64_t found, frontend::rank_of(y));
  Axes perm = {found - 1};
  for (int64_t i = 0; i + 1 < found; ++i) perm.push_back(i);
  LAPIS_TRY(y, frontend::transpose(t, y, perm));
  for (int64_t i = 0; keepdim && is_of_all && i < rank; ++i) y = f.unsqueeze(y, {-1});
  if (keepdim && !is_of_all) y = f.unsqueeze(y, {axis + 1});
  return finish(t, shares == 0 ? frontend::squeeze(t, y, {0}) : Result<Value*>(y));
}

constexpr AtenRow kRows[] = {
    {"aten.argsort", "self dim descending", argsort},
    {"aten.kthvalue", "self k dim keepdim", kthvalue},
    {"aten.median", "self dim keepdim", median<Nans::Win>},
    {"aten.msort", "self", msort},
    {"aten.nanmedian", "self dim keepdim", median<Nans::AreLeftOut>},
    {"aten.nanquantile", "self q dim keepdim *interpolation", quantile<Nans::AreLeftOut>},
    {"aten.quantile", "self q dim keepdim *interpolation", quantile<Nans::Win>},
    {"aten.sort", "self dim descending", sort},
    {"aten.topk", "self k dim largest sorted", topk},
};

}  // namespace

std::span<const AtenRow> order_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
