#include "frontends/common/build.h"

#include <algorithm>
#include <numeric>

#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "ir/rewrite.h"

namespace lapis::frontend {
namespace {

// The shape of `tensor` as `wanted` says; nullopt if it does not fit.
std::optional<Shape> concrete(const Tensor& tensor, Shape wanted) {
  int64_t rest = tensor.size();
  std::optional<size_t> open;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0 && i < tensor.shape().size()) wanted[i] = tensor.dim(static_cast<int64_t>(i));
    if (wanted[i] == -1 && !open)
      open = i;
    else if (wanted[i] < 1 || rest % wanted[i] != 0)
      return std::nullopt;
    else
      rest /= wanted[i];
  }
  if (open) wanted[*open] = rest;
  return open || rest == 1 ? std::optional(wanted) : std::nullopt;
}

bool is_in_place(const Axes& perm) { return std::is_sorted(perm.begin(), perm.end()); }

}  // namespace

Value* ints(Translation& t, std::vector<int64_t> values) { return t.constant(Tensor::vector(std::move(values))); }

Value* scalar(Translation& t, double value, DType dtype) {
  const DType type = dtype == DType::Undefined ? DType::Float32 : dtype;
  return t.constant(ops::from_doubles(type, {}, {value}));
}

Value* filled(Translation& t, double value, const Type& like) {
  const Shape shape = like.shape();
  return t.constant(ops::from_doubles(like.dtype, shape, std::vector<double>(element_count(shape), value)));
}

Result<Value*> cast(Translation& t, Value* x, DType to) {
  if (x->dtype() == to) return x;
  return t.add(ops::Cast, {x}, ops::CastAttrs{.to = static_cast<int64_t>(to)});
}

Result<Value*> reshape(Translation& t, Value* x, Shape shape) {
  if (x->is_constant())
    if (const auto fits = concrete(x->constant(), shape)) return t.constant(x->constant().reshaped(*fits));
  return t.add(ops::Reshape, {x, ints(t, std::move(shape))});
}

Axes inverse(const Axes& perm) {
  Axes back(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) back[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return back;
}

Result<Value*> transpose(Translation& t, Value* x, Axes perm) {
  if (is_in_place(perm)) return x;
  return t.add(ops::Transpose, {x}, ops::TransposeAttrs{std::move(perm)});
}

Result<Value*> swap_axes(Translation& t, Value* x, int64_t a, int64_t b) {
  LAPIS_TRY(const int64_t rank, rank_of(x));
  LAPIS_TRY(const int64_t first, axis_of(a, rank));
  LAPIS_TRY(const int64_t second, axis_of(b, rank));
  Axes perm(static_cast<size_t>(rank));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[static_cast<size_t>(first)], perm[static_cast<size_t>(second)]);
  return transpose(t, x, std::move(perm));
}

Result<Value*> transpose_matrices(Translation& t, Value* x) { return swap_axes(t, x, -1, -2); }

Result<Value*> unsqueeze(Translation& t, Value* x, Axes axes) {
  return t.add(ops::Unsqueeze, {x, ints(t, std::move(axes))});
}

Result<Value*> squeeze(Translation& t, Value* x, Axes axes) {
  if (axes.empty()) return t.add(ops::Squeeze, {x});
  return t.add(ops::Squeeze, {x, ints(t, std::move(axes))});
}

Result<Value*> slice(Translation& t, Value* x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  return t.add(ops::Slice, {x, ints(t, {begin}), ints(t, {end}), ints(t, {axis}), ints(t, {step})});
}

Result<Value*> reduce(Translation& t, const OpDef& op, Value* x, Axes axes, bool keepdims) {
  const ops::ReduceAttrs attributes{.keepdims = keepdims};
  if (axes.empty()) return t.add(op, {x}, attributes);
  return t.add(op, {x, ints(t, std::move(axes))}, attributes);
}

Result<int64_t> rank_of(const Value* x) {
  if (x->type().ranked()) return x->type().rank();
  return Translation::unsupported("an operand whose number of axes is not known before the model runs");
}

Result<int64_t> axis_of(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return error(ErrorKind::Input, "names axis " + std::to_string(axis) + " of " + std::to_string(rank));
  return axis < 0 ? axis + rank : axis;
}

Result<Axes> axes_of(Axes axes, int64_t rank) {
  for (int64_t& axis : axes) {
    LAPIS_TRY(axis, axis_of(axis, rank));
  }
  return axes;
}

Status result(Translation& t, size_t i, Value* value) {
  if (t.node().outputs.at(i).empty()) return ok();
  const bool is_own = value->producer() && value->producer()->origin() == t.node().name;
  if (!is_own) {
    LAPIS_TRY(value, t.add(ops::Identity, {value}));
  }
  return t.set(i, value, Layout::AsWritten);
}

}  // namespace lapis::frontend
