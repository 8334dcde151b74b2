// Tensors turned around, put beside each other, and their elements taken by number.
#include <algorithm>
#include <numeric>

#include "frontends/pytorch/formulas.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {
namespace {

// ---- turned around --------------------------------------------------------------------------------------------------

Result<Value*> flipped(Translation& t, Value* x, const Axes& axes) {
  using frontend::ints;
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == 0) return x;
  const std::vector<int64_t> from(axes.size(), -1), to(axes.size(), INT64_MIN), by(axes.size(), -1);
  return t.add(ops::Slice, {x, ints(t, from), ints(t, to), ints(t, axes), ints(t, by)});
}

Status flip(Translation& t) {
  Args a(t);
  const Axes axes = a.list("dims");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, flipped(t, x, axes));
}

template <int64_t Axis> Status flip_axis(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, flipped(t, x, {Axis}));
}

// By quarters of a turn, from the first axis to the second.
Status rot90(Translation& t) {
  constexpr int64_t kQuarters = 4;
  Args a(t);
  const int64_t turns = a.integer("k", 1);
  const Axes axes = a.list("dims", {0, 1});
  LAPIS_CHECK(a.status());
  LAPIS_CHECK(check_positions({turns}));
  if (axes.size() != 2) return error(ErrorKind::Input, "turns " + std::to_string(axes.size()) + " axes");
  LAPIS_TRY(Value * x, self(a));
  const int64_t quarters = (turns % kQuarters + kQuarters) % kQuarters;
  if (quarters == 0) return frontend::result(t, 0, x);
  if (quarters == 2) return finish(t, flipped(t, x, axes));
  LAPIS_TRY(Value * turned, flipped(t, x, {axes[quarters == 1 ? 1 : 0]}));
  return finish(t, frontend::swap_axes(t, turned, axes[0], axes[1]));
}

// ---- beside each other ----------------------------------------------------------------------------------------------

// With axes of size 1 before and behind its own, so that there are as many as asked for.
Result<Value*> with_axes(Translation& t, Value* x, int64_t wanted) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank >= wanted) return x;
  if (rank == 0) return frontend::reshape(t, x, Shape(static_cast<size_t>(wanted), 1));
  if (rank == 2) return frontend::unsqueeze(t, x, {2});
  return frontend::unsqueeze(t, x, wanted == 2 ? Axes{0} : Axes{0, 2});
}

template <int64_t Axes> Status at_least(Translation& t) {
  Args a(t);
  if (a.has("tensors")) return Translation::unsupported("a list of tensors");
  LAPIS_TRY(Value * x, self(a));
  return finish(t, with_axes(t, x, Axes));
}

Result<std::vector<Value*>> tensors_of_one_type(Translation& t) {
  Args a(t);
  LAPIS_TRY(std::vector<Value*> all, a.tensors("tensors"));
  if (all.empty() || std::find(all.begin(), all.end(), nullptr) != all.end())
    return error(ErrorKind::Input, "has no tensors");
  return in_one_type(t, std::move(all));
}

// Rows in their axis, all else on `axis`.
template <int64_t Wanted, int64_t Axis> Status stacked(Translation& t) {
  LAPIS_TRY(std::vector<Value*> all, tensors_of_one_type(t));
  for (Value*& x : all) {
    LAPIS_TRY(x, with_axes(t, x, Wanted));
  }
  LAPIS_TRY(const int64_t rank, frontend::rank_of(all[0]));
  return finish(t, t.add(ops::Concat, all, ops::ConcatAttrs{std::min(Axis, rank - 1)}));
}

// Rows as columns.
Status column_stack(Translation& t) {
  LAPIS_TRY(std::vector<Value*> all, tensors_of_one_type(t));
  for (Value*& x : all) {
    LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
    if (rank > 1) continue;
    LAPIS_TRY(x, frontend::reshape(t, x, {-1, 1}));
  }
  return finish(t, t.add(ops::Concat, all, ops::ConcatAttrs{1}));
}

// Matrices whose corners meet, and 0 elsewhere.
Status block_diag(Translation& t) {
  Formula f(t);
  LAPIS_TRY(std::vector<Value*> all, tensors_of_one_type(t));
  std::vector<int64_t> widths;
  for (Value*& x : all) {
    LAPIS_TRY(x, with_axes(t, x, 2));
    LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
    if (rank != 2) return error(ErrorKind::Input, "has blocks of " + std::to_string(rank) + " axes");
    if (!x->type().dim(1).is_constant()) return Translation::unsupported("blocks of open width");
    widths.push_back(x->type().dim(1).value());
  }
  int64_t before = 0, behind = std::accumulate(widths.begin(), widths.end(), int64_t{0});
  for (size_t i = 0; i < all.size(); ++i) {
    behind -= widths[i];
    all[i] = f.op(ops::Pad, {all[i], f.integers({0, before, 0, behind}), f.number(0, all[i]->dtype())});
    before += widths[i];
  }
  return f.status().ok() ? finish(t, t.add(ops::Concat, all, ops::ConcatAttrs{0})) : f.status();
}

// ---- by number ------------------------------------------------------------------------------------------------------

Status take(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * index, a.tensor("index"));
  LAPIS_TRY(Value * row, frontend::reshape(t, x, {-1}));
  return finish(t, t.add(ops::Gather, {row, index}, ops::AxisAttrs{0}));
}

// The sizes of a tensor, but 1 of one axis.
Value* sizes_beside(Formula& f, Value* x, int64_t axis) {
  Value* sizes = f.op(ops::ShapeOf, {x});
  return f.concat({f.slice(sizes, 0, 0, axis), f.integers({1}), f.slice(sizes, 0, axis + 1, INT64_MAX)}, 0);
}

// Elements at places of one axis, where all other axes broadcast; without an axis among all elements.
Status take_along_dim(Translation& t) {
  Args a(t);
  Formula f(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * indices, a.tensor("indices"));
  if (!a.has("dim")) {
    x = f.reshape(x, {-1});
    indices = f.reshape(indices, {-1});
  }
  LAPIS_CHECK(f.status());
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  Value* elements = f.op(ops::Expand, {x, sizes_beside(f, indices, axis)});
  Value* at = f.op(ops::Expand, {indices, sizes_beside(f, x, axis)});
  Value* y = f.op(ops::GatherElements, {elements, at}, ops::AxisAttrs{axis});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// Rows and columns of what lies on one side of a diagonal of a matrix, int64[2, n].
template <bool Upper> Status triangle_places(Translation& t) {
  constexpr int64_t kMost = 1 << 24;
  Args a(t);
  const int64_t rows = a.integer("row", 0), columns = a.integer("col", 0), offset = a.integer("offset", 0);
  const DType type = a.dtype().value_or(DType::Int64);
  LAPIS_CHECK(a.status());
  if (rows < 0 || columns < 0 || (columns > 0 && rows > kMost / columns))
    return Translation::unsupported("more places than " + std::to_string(kMost));
  std::vector<int64_t> places, down;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = 0; k < columns; ++k)
      if (Upper ? k - i >= offset : k - i <= offset) places.push_back(i), down.push_back(k);
  const auto count = static_cast<int64_t>(places.size());
  places.insert(places.end(), down.begin(), down.end());
  return finish(t, t.constant(ops::from_integers(type, {2, count}, places)));
}

constexpr AtenRow kRows[] = {
    {"aten.atleast_1d", "self", at_least<1>},
    {"aten.atleast_2d", "self", at_least<2>},
    {"aten.atleast_3d", "self", at_least<3>},
    {"aten.block_diag", "tensors", block_diag},
    {"aten.column_stack", "tensors", column_stack},
    {"aten.dstack", "tensors", stacked<3, 2>},
    {"aten.flip", "self dims", flip},
    {"aten.fliplr", "self", flip_axis<1>},
    {"aten.flipud", "self", flip_axis<0>},
    {"aten.hstack", "tensors", stacked<1, 1>},
    {"aten.rot90", "self k dims", rot90},
    {"aten.take", "self index", take},
    {"aten.take_along_dim", "self indices dim", take_along_dim},
    {"aten.tril_indices", "row col offset *dtype layout device pin_memory", triangle_places<false>},
    {"aten.triu_indices", "row col offset *dtype layout device pin_memory", triangle_places<true>},
    {"aten.vstack", "tensors", stacked<2, 0>},
};

}  // namespace

std::span<const AtenRow> arrangement_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
