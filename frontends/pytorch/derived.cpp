// Functions of elements that consist of others.
#include <limits>

#include "frontends/common/elementwise.h"
#include "frontends/pytorch/formulas.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

Status isfinite(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, f, f.greater({f.number(kInfinity, x->dtype()), f.op(ops::Abs, {x})}));
}

// What is behind the point, with the sign of the whole.
Status frac(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  Value* is_positive = f.greater({x, f.number(0, x->dtype())});
  return finish(t, f, f.sub({x, f.where({is_positive, f.op(ops::Floor, {x}), f.op(ops::Ceil, {x})})}));
}

double largest_of(DType real) {
  constexpr double kOfFloat16 = 65504, kOfBFloat16 = 0x1.FEp127;
  switch (real) {
    case DType::Float16: return kOfFloat16;
    case DType::BFloat16: return kOfBFloat16;
    case DType::Float64: return std::numeric_limits<double>::max();
    default: return std::numeric_limits<float>::max();
  }
}

Status nan_to_num(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  if (!is_float(x->dtype())) return pytorch_frontend::finish(t, t.add(ops::Identity, {x}));
  const DType type = x->dtype();
  const double most = largest_of(type);
  const double nan = a.number("nan", 0), above = a.number("posinf", most), below = a.number("neginf", -most);
  LAPIS_CHECK(a.status());
  Value* y = f.where({f.op(ops::IsNaN, {x}), f.number(nan, type), x});
  y = f.where({f.op(ops::Equal, {x, f.number(kInfinity, type)}), f.number(above, type), y});
  return finish(t, f, f.where({f.op(ops::Equal, {x, f.number(-kInfinity, type)}), f.number(below, type), y}));
}

// The first with the sign of the second, zeros too.
Status copysign(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, real_pair(t, a));
  Value* size = f.op(ops::Abs, {p.a});
  return finish(t, f, f.where({frontend::is_negative(f, p.b), f.op(ops::Neg, {size}), size}));
}

Status signbit(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, f, frontend::is_negative(f, x));
}

// sqrt(a^2 + b^2): by the larger one, so that no square overflows. An infinite one decides, whatever the other is.
Status hypot(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  const DType type = p.a->dtype();
  if (!is_float(type)) return Translation::unsupported("sides of integers");
  Value *left = f.op(ops::Abs, {p.a}), *right = f.op(ops::Abs, {p.b});
  Value *larger = f.max({left, right}), *zero = f.number(0, type), *infinity = f.number(kInfinity, type);
  Value* ratio = f.where({f.op(ops::Equal, {larger, zero}), zero, f.div({f.min({left, right}), larger})});
  Value* y = f.mul({larger, f.op(ops::Sqrt, {f.add({f.mul({ratio, ratio}), f.number(1, type)})})});
  Value* is_infinite = f.op(ops::Or, {f.op(ops::Equal, {left, infinity}), f.op(ops::Equal, {right, infinity})});
  return finish(t, f, f.where({is_infinite, infinity, y}));
}

// ---- bits -----------------------------------------------------------------------------------------------------------

DType without_sign(DType type) {
  switch (type) {
    case DType::Int8: return DType::UInt8;
    case DType::Int16: return DType::UInt16;
    case DType::Int32: return DType::UInt32;
    case DType::Int64: return DType::UInt64;
    default: return type;
  }
}

// Moved within the width of the type; by more than that, or by less than nothing, none are left.
Value* moved_bits(Formula& f, Value* x, Value* by, const char* direction) {
  const DType bits = without_sign(x->dtype());
  return f.cast(f.op(ops::BitShift, {f.cast(x, bits), f.cast(by, bits)}, ops::BitShiftAttrs{direction}), x->dtype());
}

Result<Pair> bits_and_distance(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  if (is_float(p.a->dtype()) || p.a->dtype() == DType::Bool)
    return Translation::unsupported("bits of what is no integer");
  return p;
}

Status left_shift(Translation& t) {
  Formula f(t);
  LAPIS_TRY(const Pair p, bits_and_distance(t));
  return finish(t, f, moved_bits(f, p.a, p.b, "LEFT"));
}

// Negative numbers stay negative: what moves is their complement.
Status right_shift(Translation& t) {
  Formula f(t);
  LAPIS_TRY(const Pair p, bits_and_distance(t));
  if (p.a->dtype() == without_sign(p.a->dtype())) return finish(t, f, moved_bits(f, p.a, p.b, "RIGHT"));
  Value* is_below = f.greater({f.number(0, p.a->dtype()), p.a});
  const auto complement = [&](Value* x) { return f.where({is_below, f.op(ops::BitwiseNot, {x}), x}); };
  return finish(t, f, complement(moved_bits(f, complement(p.a), p.b, "RIGHT")));
}

// ---- of axes, and of boundaries -------------------------------------------------------------------------------------

// What each element is more than the one before, `n` times.
Status diff(Translation& t) {
  Args a(t);
  Formula f(t);
  const int64_t times = a.integer("n", 1), dim = a.integer("dim", -1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  constexpr int64_t kMostTimes = 64;
  if (x->dtype() == DType::Bool) return Translation::unsupported("differences of truth values");
  if (times > kMostTimes)
    return Translation::unsupported("differences of a degree above " + std::to_string(kMostTimes));
  std::vector<Value*> parts;
  for (const char* name : {"prepend", "self", "append"}) {
    if (!a.has(name)) continue;
    LAPIS_TRY(parts.emplace_back(), a.tensor(name));
  }
  if (parts.size() > 1) x = f.concat(parts, dim);
  for (int64_t i = 0; i < times; ++i) x = f.sub({f.slice(x, dim, 1, INT64_MAX), f.slice(x, dim, 0, -1)});
  return finish(t, f, x);
}

Status outer(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a, "self", "vec2"));
  return finish(t, f, f.mul({f.unsqueeze(p.a, {1}), f.unsqueeze(p.b, {0})}));
}

// The other number where one is none.
template <const OpDef& Op> Status extreme_of_numbers(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  if (!is_float(p.a->dtype())) return finish(t, f, f.op(Op, {p.a, p.b}));
  Value* b_or_a = f.where({f.op(ops::IsNaN, {p.b}), p.a, f.op(Op, {p.a, p.b})});
  return finish(t, f, f.where({f.op(ops::IsNaN, {p.a}), p.b, b_or_a}));
}

Status cosine_similarity(Translation& t) {
  Args a(t);
  Formula f(t);
  const int64_t dim = a.integer("dim", 1);
  const double least = a.number("eps", 1e-8);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const Pair p, real_pair(t, a, "x1", "x2"));
  LAPIS_TRY(Value * product, frontend::reduce(t, ops::ReduceSum, f.mul({p.a, p.b}), {dim}, false));
  LAPIS_TRY(Value * left, norm_of(t, p.a, 2, {dim}, false));
  LAPIS_TRY(Value * right, norm_of(t, p.b, 2, {dim}, false));
  const auto limited = [&](Value* norm) { return f.max({norm, f.number(least, norm->dtype())}); };
  return finish(t, f, f.div({product, f.mul({limited(left), limited(right)})}));
}

constexpr AtenRow kRows[] = {
    {"aten.__lshift__", "self other", left_shift},
    {"aten.__rshift__", "self other", right_shift},
    {"aten.bitwise_left_shift", "self other", left_shift},
    {"aten.bitwise_right_shift", "self other", right_shift},
    {"aten.copysign", "self other", copysign},
    {"aten.cosine_similarity", "x1 x2 dim eps", cosine_similarity},
    {"aten.diff", "self n dim prepend append", diff},
    {"aten.fmax", "self other", extreme_of_numbers<ops::Max>},
    {"aten.fmin", "self other", extreme_of_numbers<ops::Min>},
    {"aten.frac", "self", frac},
    {"aten.hypot", "self other", hypot},
    {"aten.isfinite", "self", isfinite},
    {"aten.nan_to_num", "self nan posinf neginf", nan_to_num},
    {"aten.outer", "self vec2", outer},
    {"aten.signbit", "self", signbit},
};

}  // namespace

std::span<const AtenRow> derived_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
