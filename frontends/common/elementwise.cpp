#include "frontends/common/elementwise.h"

#include <algorithm>
#include <numbers>
#include <numeric>

#include "frontends/common/formula.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/rewrite.h"

namespace lapis::frontend {

// The slope of the line to the point; of points as far up as to the side, infinitely far ones too, it is 1 or -1.
static Value* slope(Formula& f, Value* y, Value* x) {
  Value* zero = f.number(0, x->dtype());
  Value* is_even = f.op(ops::Equal, {f.op(ops::Abs, {y}), f.op(ops::Abs, {x})});
  Value* even = f.mul({f.op(ops::Sign, {y}), f.op(ops::Sign, {x})});
  Value* is_middle = f.both({is_even, f.op(ops::Equal, {x, zero})});
  return f.where({is_middle, y, f.where({is_even, even, f.div({y, x})})});
}

Value* is_negative(Formula& f, Value* x) {
  Value* zero = f.number(0, x->dtype());
  return f.op(ops::Or, {f.greater({zero, x}), f.greater({zero, f.op(ops::Reciprocal, {x})})});
}

Result<Value*> angle(Translation& t, Value* y, Value* x) {
  Formula f(t);
  const auto turn = [&](double by) { return f.number(by, x->dtype()); };
  Value* right = f.op(ops::Atan, {slope(f, y, x)});
  Value* left = f.add({right, f.where({is_negative(f, y), turn(-std::numbers::pi), turn(std::numbers::pi)})});
  Value* result = f.where({is_negative(f, x), left, right});
  LAPIS_CHECK(f.status());
  return result;
}

namespace {

std::optional<int64_t> rank_of(const Translation& t, size_t i) {
  const Type& type = t.input(i).type;
  return type.ranked() ? std::optional(type.rank()) : std::nullopt;
}

bool is_constant(const Translation& t, size_t i) { return t.input(i).constant.defined(); }

// Operand i beside one of `rank` axes with channels first.
bool can_follow(const Translation& t, size_t i, int64_t rank) {
  const auto own = rank_of(t, i);
  if (!own || *own > rank) return false;
  return is_constant(t, i) || *own == rank || *own <= 1;
}

// The rank with which all meet channels first; nullopt if they do not.
std::optional<int64_t> rank_of_channels_first(const Translation& t, const std::vector<size_t>& operands) {
  std::optional<int64_t> rank;
  for (const size_t i : operands)
    if (t.layout(i) == Layout::ChannelsFirst) rank = std::max(rank.value_or(0), rank_of(t, i).value_or(0));
  const auto follows = [&](size_t i) { return can_follow(t, i, *rank); };
  return rank && std::ranges::all_of(operands, follows) ? rank : std::nullopt;
}

// One number for each channel, computed, as [C, 1, 1].
Result<Value*> channel_values(Translation& t, size_t i, int64_t rank) {
  LAPIS_TRY(Value * x, t.real(i, Layout::AsWritten));
  if (x->type().rank() == 0) return x;
  std::vector<int64_t> axes(static_cast<size_t>(rank - 2));
  std::iota(axes.begin(), axes.end(), 1);
  return t.add(ops::Unsqueeze, {x, t.constant(Tensor::vector(std::move(axes)))});
}

Result<Value*> following(Translation& t, size_t i, int64_t rank) {
  if (rank_of(t, i) == 0) return t.real(i, Layout::AsWritten);
  if (is_constant(t, i)) return t.parameter(i, to_channels_first(static_cast<size_t>(rank)));
  return rank_of(t, i) == rank ? t.real(i, Layout::ChannelsFirst) : channel_values(t, i, rank);
}

// The axes that are left stand in the written order, also where the operand is not.
bool keeps_order(const std::vector<int64_t>& gone, Layout layout, int64_t rank) {
  std::vector<int64_t> left;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (std::ranges::find(gone, axis) == gone.end()) left.push_back(axis_in(layout, axis, static_cast<size_t>(rank)));
  return std::ranges::is_sorted(left);
}

Status normalize(std::vector<int64_t>& axes, int64_t rank) {
  for (int64_t& axis : axes) {
    if (axis < -rank || axis >= rank)
      return error(ErrorKind::Input, "reduces axis " + std::to_string(axis) + " of " + std::to_string(rank));
    if (axis < 0) axis += rank;
  }
  return ok();
}

}  // namespace

Layout plain_layout(const Translation& t, size_t i) {
  return t.layout(i) == Layout::ChannelsFirst ? Layout::ChannelsFirst : Layout::AsWritten;
}

Result<Aligned> aligned(Translation& t, const std::vector<size_t>& operands) {
  Aligned result;
  const auto rank = rank_of_channels_first(t, operands);
  if (rank) result.layout = Layout::ChannelsFirst;
  for (const size_t i : operands) {
    LAPIS_TRY(result.operands.emplace_back(), rank ? following(t, i, *rank) : t.real(i, Layout::AsWritten));
  }
  return result;
}

Result<Value*> scalar_like(Translation& t, double number, const Value* like) {
  const Attributes to = encode_attributes(ops::CastAttrs{.to = static_cast<int64_t>(like->dtype())});
  LAPIS_TRY(Tensor tensor, evaluate_op(ops::Cast, {Tensor::scalar(number)}, to));
  return t.constant(std::move(tensor));
}

Status apply(Translation& t, const OpDef& op, Attributes attributes) {
  const Layout layout = plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, t.add(op, {x}, std::move(attributes)));
  return t.set(0, y, layout);
}

Status combine(Translation& t, const OpDef& op) {
  LAPIS_TRY(Aligned both, aligned(t, {0, 1}));
  LAPIS_TRY(Value * y, t.add(op, both.operands));
  return t.set(0, y, both.layout);
}

Status reduce(Translation& t, const OpDef& op, std::vector<int64_t> axes, bool keeps_axes) {
  if (!t.input(0).type.ranked()) return Translation::unsupported("data of unknown rank");
  const int64_t rank = t.input(0).type.rank();
  LAPIS_CHECK(normalize(axes, rank));
  Layout layout = plain_layout(t);
  if (!keeps_axes && !keeps_order(axes, layout, rank)) layout = Layout::AsWritten;
  LAPIS_TRY(Value * x, t.real(0, layout));
  for (int64_t& axis : axes) axis = axis_in(layout, axis, static_cast<size_t>(rank));
  std::ranges::sort(axes);
  const ops::ReduceAttrs attributes{.keepdims = keeps_axes, .noop_with_empty_axes = true};
  LAPIS_TRY(Value * y, t.add(op, {x, t.constant(Tensor::vector(std::move(axes)))}, attributes));
  return t.set(0, y, keeps_axes ? layout : Layout::AsWritten);
}

std::optional<int64_t> width_of_planes(const Translation& t) {
  constexpr int64_t kRank = 4;
  const Type& image = t.input(0).type;
  if (t.layout(0) != Layout::ChannelsFirst || !image.ranked() || image.rank() != kRank) return std::nullopt;
  const Dims& d = *image.dims;
  if (!d[1].is_constant() || !d[2].is_constant() || !d[3].is_constant()) return std::nullopt;
  const Dim width = d[1] * d[2] * d[3];
  const bool moves = !d[3].is(1) && !(d[1].is(1) && d[2].is(1));
  return moves && width.is_constant() && width.value() > 0 ? std::optional(width.value()) : std::nullopt;
}

Status set_planes(Translation& t, int64_t width) {
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, t.constant(Tensor::vector<int64_t>({-1, width}))}));
  return t.set(0, y, Layout::FlattenedPlanes, t.input(0).type.dim(3).value());
}

}  // namespace lapis::frontend
