// Functions of elements that consist of others.
#include <limits>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Status finish(Translation& t, const Formula& f, Value* y) {
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

Status isfinite(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, f, f.greater(f.number(kInfinity, x->dtype()), f.op(ops::Abs, {x})));
}

// What is behind the point, with the sign of the whole.
Status frac(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  Value* is_positive = f.greater(x, f.number(0, x->dtype()));
  return finish(t, f, f.sub(x, f.where(is_positive, f.op(ops::Floor, {x}), f.op(ops::Ceil, {x}))));
}

// log(e^a + e^b): of the larger one, so that nothing overflows. Infinities that are equal have no difference.
Status logaddexp(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Pair p, pair(t, a));
  LAPIS_TRY(p.a, as_real(t, p.a));
  LAPIS_TRY(p.b, as_real(t, p.b));
  const DType type = p.a->dtype();
  Value* distance = f.op(ops::Abs, {f.sub(p.a, p.b)});
  Value* over = f.op(ops::Log, {f.add(f.op(ops::Exp, {f.op(ops::Neg, {distance})}), f.number(1, type))});
  Value* larger = f.max(p.a, p.b);
  Value* excess = f.where(f.op(ops::Equal, {p.a, p.b}), f.number(0.6931471805599453, type), over);
  return finish(t, f, f.add(larger, excess));
}

Status nan_to_num(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  if (!is_float(x->dtype())) return pytorch_frontend::finish(t, t.add(ops::Identity, {x}));
  if (x->dtype() != DType::Float32) return Translation::unsupported("a type with other largest numbers than float32");
  constexpr double kLargest = std::numeric_limits<float>::max();
  const double nan = a.number("nan", 0), above = a.number("posinf", kLargest), below = a.number("neginf", -kLargest);
  LAPIS_CHECK(a.status());
  Value* y = f.where(f.op(ops::IsNaN, {x}), f.number(nan), x);
  y = f.where(f.op(ops::Equal, {x, f.number(kInfinity)}), f.number(above), y);
  return finish(t, f, f.where(f.op(ops::Equal, {x, f.number(-kInfinity)}), f.number(below), y));
}

Status outer(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a, "self", "vec2"));
  return finish(t, f, f.mul(f.unsqueeze(p.a, {1}), f.unsqueeze(p.b, {0})));
}

// The other number where one is none.
template <const OpDef& Op> Status extreme_of_numbers(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  if (!is_float(p.a->dtype())) return finish(t, f, f.op(Op, {p.a, p.b}));
  Value* b_or_a = f.where(f.op(ops::IsNaN, {p.b}), p.a, f.op(Op, {p.a, p.b}));
  return finish(t, f, f.where(f.op(ops::IsNaN, {p.a}), p.b, b_or_a));
}

Status cosine_similarity(Translation& t) {
  Args a(t);
  Formula f(t);
  const int64_t dim = a.integer("dim", 1);
  const double least = a.number("eps", 1e-8);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const Pair p, real_pair(t, a, "x1", "x2"));
  LAPIS_TRY(Value * product, frontend::reduce(t, ops::ReduceSum, f.mul(p.a, p.b), {dim}, false));
  LAPIS_TRY(Value * left, norm_of(t, p.a, 2, {dim}, false));
  LAPIS_TRY(Value * right, norm_of(t, p.b, 2, {dim}, false));
  const auto limited = [&](Value* norm) { return f.max(norm, f.number(least, norm->dtype())); };
  return finish(t, f, f.div(product, f.mul(limited(left), limited(right))));
}

// How many boundaries lie before each number.
Status number_of_boundaries(Translation& t, Args& a, Value* boundaries, Value* x) {
  Formula f(t);
  const bool counts_equal = a.flag("right", false) || a.word("side", "left") == "right";
  const DType type = a.flag("out_int32", false) ? DType::Int32 : DType::Int64;
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const int64_t rank, frontend::rank_of(boundaries));
  if (rank != 1 || a.has("sorter")) return Translation::unsupported("boundaries that are no sorted row");
  LAPIS_TRY(const std::vector<Value*> both, in_one_type(t, {f.unsqueeze(x, {-1}), boundaries}));
  Value* is_before = f.op(counts_equal ? ops::LessOrEqual : ops::Less, {both[1], both[0]});
  LAPIS_CHECK(f.status());
  LAPIS_TRY(Value * count, frontend::reduce(t, ops::ReduceSum, f.cast(is_before, type), {-1}, false));
  return finish(t, f, count);
}

Status bucketize(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * boundaries, a.tensor("boundaries"));
  return number_of_boundaries(t, a, boundaries, x);
}

Status searchsorted(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * boundaries, a.tensor("sorted_sequence"));
  LAPIS_TRY(Value * x, self(a));
  return number_of_boundaries(t, a, boundaries, x);
}

constexpr AtenRow kRows[] = {
    {"aten.bucketize", "self boundaries *out_int32 right", bucketize},
    {"aten.cosine_similarity", "x1 x2 dim eps", cosine_similarity},
    {"aten.fmax", "self other", extreme_of_numbers<ops::Max>},
    {"aten.fmin", "self other", extreme_of_numbers<ops::Min>},
    {"aten.searchsorted", "sorted_sequence self *out_int32 right side sorter", searchsorted},
    {"aten.frac", "self", frac},
    {"aten.isfinite", "self", isfinite},
    {"aten.logaddexp", "self other", logaddexp},
    {"aten.nan_to_num", "self nan posinf neginf", nan_to_num},
    {"aten.outer", "self vec2", outer},
};

}  // namespace

std::span<const AtenRow> derived_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
