// How many elements lie where: between boundaries, in bins, among others.
#include "frontends/pytorch/formulas.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

// Boundaries in order, which the numbers of another operand may bring them into.
Result<Value*> boundaries_of(Translation& t, Args& a, std::string_view name) {
  LAPIS_TRY(Value * boundaries, a.tensor(name));
  if (!a.has("sorter")) return boundaries;
  LAPIS_TRY(Value * order, a.tensor("sorter"));
  return t.add(ops::GatherElements, {boundaries, order}, ops::AxisAttrs{-1});
}

// How many boundaries lie before each number: of one row, or of the row that the number is in.
Status number_of_boundaries(Translation& t, Args& a, Value* boundaries, Value* x) {
  Formula f(t);
  const bool counts_equal = a.flag("right", false) || a.word("side", "left") == "right";
  const DType type = a.flag("out_int32", false) ? DType::Int32 : DType::Int64;
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const int64_t rank, frontend::rank_of(boundaries));
  if (rank > 1) boundaries = f.unsqueeze(boundaries, {-2});
  x = f.unsqueeze(x, {-1});
  LAPIS_CHECK(f.status());
  LAPIS_TRY(const std::vector<Value*> both, in_one_type(t, {x, boundaries}));
  Value* is_before = f.op(counts_equal ? ops::LessOrEqual : ops::Less, {both[1], both[0]});
  if (is_float(both[0]->dtype())) is_before = f.op(ops::Or, {is_before, f.op(ops::IsNaN, {both[0]})});
  LAPIS_CHECK(f.status());
  LAPIS_TRY(Value * counted, frontend::cast(t, is_before, type));
  return finish(t, frontend::reduce(t, ops::ReduceSum, counted, {-1}, false));
}

Status bucketize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, a.number_or_tensor("self", type_of_number(t, "self")));
  LAPIS_TRY(Value * boundaries, boundaries_of(t, a, "boundaries"));
  return number_of_boundaries(t, a, boundaries, x);
}

Status searchsorted(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * boundaries, boundaries_of(t, a, "sorted_sequence"));
  LAPIS_TRY(Value * x, a.number_or_tensor("self", type_of_number(t, "self")));
  return number_of_boundaries(t, a, boundaries, x);
}

// Whether each element is among others, or where that is asked for is not.
Status isin(Translation& t) {
  Args a(t);
  Formula f(t);
  const char* among = a.has("test_element") ? "test_element" : "test_elements";
  const bool is_inverted = a.flag("invert", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const Pair p, pair(t, a, a.has("element") ? "element" : "elements", among));
  Value* is_same = f.op(ops::Equal, {f.unsqueeze(p.a, {-1}), f.reshape(p.b, {-1})});
  Value* count =
      f.op(ops::ReduceSum, {f.cast(is_same, DType::Int32), f.integers({-1})}, ops::ReduceAttrs{.keepdims = false});
  Value* y = f.cast(count, DType::Bool);
  if (is_inverted) y = f.opposite(y);
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

struct Bounds {
  Value *low, *high;
};

// As given; those of the data where both are the same, and one number around if there is only one.
Result<Bounds> bounds_of(Translation& t, Formula& f, Args& a, Value* x) {
  const double low = a.number("min", 0), high = a.number("max", 0);
  LAPIS_CHECK(a.status());
  if (low > high) return error(ErrorKind::Input, "has bins from a number down to a smaller one");
  const DType type = x->dtype();
  Bounds b{f.number(low, type), f.number(high, type)};
  if (low < high) return b;
  LAPIS_TRY(b.low, frontend::reduce(t, ops::ReduceMin, x, {}, false));
  LAPIS_TRY(b.high, frontend::reduce(t, ops::ReduceMax, x, {}, false));
  Value *is_one = f.op(ops::Equal, {b.low, b.high}), *one = f.number(1, type);
  return Bounds{f.where({is_one, f.sub({b.low, one}), b.low}), f.where({is_one, f.add({b.high, one}), b.high})};
}

// How many elements lie in each of so many bins of one width; the last one has its upper bound too.
Status histc(Translation& t) {
  constexpr int64_t kMostBins = 1 << 16;
  Args a(t);
  Formula f(t);
  const int64_t bins = a.integer("bins", 100);
  LAPIS_CHECK(a.status());
  if (bins < 1 || bins > kMostBins) return error(ErrorKind::Input, "has " + std::to_string(bins) + " bins");
  LAPIS_TRY(Value * x, self(a));
  const DType type = x->dtype();
  LAPIS_TRY(x, as_real(t, x));
  LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  LAPIS_TRY(const Bounds b, bounds_of(t, f, a, x));
  const DType real = x->dtype();
  const auto number = [&](int64_t n) { return f.number(static_cast<double>(n), real); };
  Value* bin = f.op(ops::Floor, {f.div({f.mul({f.sub({x, b.low}), number(bins)}), f.sub({b.high, b.low})})});
  Value* is_inside = f.both({f.op(ops::GreaterOrEqual, {x, b.low}), f.op(ops::LessOrEqual, {x, b.high})});
  Value* counted_in = f.where({is_inside, f.min({bin, number(bins - 1)}), number(-1)});
  Value* all = f.cast(f.range(f.integers({bins})), real);
  Value* is_in = f.cast(f.op(ops::Equal, {f.unsqueeze(counted_in, {-1}), all}), type);
  LAPIS_CHECK(f.status());
  return finish(t, frontend::reduce(t, ops::ReduceSum, is_in, {0}, false));
}

constexpr AtenRow kRows[] = {
    {"aten.bucketize", "self boundaries *out_int32 right", bucketize},
    {"aten.histc", "self bins min max", histc},
    {"aten.isin", "elements test_elements *assume_unique invert", isin},
    {"aten.searchsorted", "sorted_sequence self *out_int32 right side sorter", searchsorted},
};

}  // namespace

std::span<const AtenRow> count_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
