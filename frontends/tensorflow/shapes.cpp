// Operators that read shapes or change them: no element moves past another, but for Transpose.
#include <algorithm>

#include "frontends/tensorflow/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

// ---- Reshape --------------------------------------------------------------------------------------------------------

// The wanted sizes as numbers where that is possible: -1 for the one that is open, or nullopt.
std::optional<std::vector<int64_t>> wanted(const Translation& t) {
  const auto known = t.contents(1);
  if (!known) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const Dim& d : *known) sizes.push_back(d.is_constant() ? d.value() : -1);
  return std::ranges::count(sizes, -1) <= 1 ? std::optional(std::move(sizes)) : std::nullopt;
}

// Whether images become rows, one each.
bool makes_rows(const Translation& t, const std::vector<int64_t>& to, int64_t width) {
  return to.size() == 2 && (to[1] == width || (to[1] == -1 && to[0] != -1 && t.input(0).type.dim(0).is(to[0])));
}

// The number of elements between the first and the last axis; 0 if it is open.
int64_t pixels_in(const Type& image) {
  Dim all = 1;
  for (int64_t axis = 1; axis + 1 < image.rank(); ++axis) all = all * image.dim(axis);
  return all.is_constant() ? all.value() : 0;
}

// Sizes that make `count`, with at most one -1, which follows from the others.
std::optional<std::vector<int64_t>> completed(std::vector<int64_t> sizes, int64_t count) {
  for (const int64_t size : sizes) {
    if (size == -1) continue;
    if (size < 1 || count % size != 0) return std::nullopt;
    count /= size;
  }
  const auto open = std::ranges::find(sizes, -1);
  if (count == 0 || (open == sizes.end() && count != 1)) return std::nullopt;
  if (open != sizes.end()) *open = count;
  return sizes;
}

// The pixels of images in other rows and columns, as [N, H, W, C] to [N, H * W, C] or [N, 1, T, C] to [N, T, C]: their
// sizes, where the batch and the channels stay, so that channels first stay so; nullopt otherwise.
std::optional<std::vector<int64_t>> pixels_of(const Translation& t, const std::vector<int64_t>& to) {
  const Type& from = t.input(0).type;
  if (t.layout(0) != Layout::ChannelsFirst || !from.ranked() || to.size() < 3) return std::nullopt;
  const bool keeps_channels = to.back() > 0 && from.dim(from.rank() - 1).is(to.back());
  const bool keeps_batch = std::ranges::count(to, -1) <= 1 && (to[0] == -1 || from.dim(0).is(to[0]));
  if (!keeps_channels || !keeps_batch) return std::nullopt;
  return completed({to.begin() + 1, to.end() - 1}, pixels_in(from));
}

Status reshape_pixels(Translation& t, std::vector<int64_t> pixels, int64_t images) {
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  pixels.insert(pixels.begin(), {images, x->type().dim(1).value()});
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, ints(t, std::move(pixels))}));
  return t.set(0, y, Layout::ChannelsFirst);
}

// ---- axes of one element --------------------------------------------------------------------------------------------

// Whether the channel is last before and behind, so that channels first stay so.
bool keeps_channels(const Translation& t, int64_t rank, const std::vector<int64_t>& axes) {
  return t.layout(0) == Layout::ChannelsFirst &&
         std::ranges::all_of(axes, [&](int64_t axis) { return axis > 0 && axis < rank - 1; });
}

Result<std::vector<int64_t>> axes_of_one(const Translation& t, int64_t rank) {
  auto axes = t.get<std::vector<int64_t>>("squeeze_dims", {});
  if (axes.empty()) axes = t.get<std::vector<int64_t>>("axis", {});
  for (int64_t& axis : axes) {
    LAPIS_TRY(axis, axis_of(axis, rank));
  }
  if (!axes.empty()) return axes;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const Dim& d = t.input(0).type.dim(axis);
    if (!d.is_constant()) return Translation::unsupported("all axes of 1 where sizes are open");
    if (d.is(1)) axes.push_back(axis);
  }
  return axes;
}

Status reaxed(Translation& t, const OpDef& op, std::vector<int64_t> axes, int64_t rank) {
  const Layout layout = keeps_channels(t, rank, axes) ? Layout::ChannelsFirst : Layout::AsWritten;
  LAPIS_TRY(Value * x, t.real(0, layout));
  for (int64_t& axis : axes) axis = frontend::axis_in(layout, axis, static_cast<size_t>(rank));
  if (op.name == ops::Squeeze.name && axes.empty()) {
    LAPIS_TRY(Value * same, t.add(ops::Identity, {x}));
    return t.set(0, same, layout);
  }
  LAPIS_TRY(Value * y, t.add(op, {x, ints(t, std::move(axes))}));
  return t.set(0, y, layout);
}

// ---- shapes as values -----------------------------------------------------------------------------------------------

Status set_numbers(Translation& t, std::vector<int64_t> values, const char* attribute, bool as_scalar) {
  const DType to = dtype_of_number(t.get<int64_t>(attribute, static_cast<int64_t>(DType::Int32)));
  Value* all = as_scalar ? t.constant(Tensor::scalar(values[0])) : ints(t, std::move(values));
  LAPIS_TRY(Value * y, frontend::cast(t, all, to));
  return t.set(0, y, Layout::AsWritten);
}

// Of the order in which the operand is at hand, put into the written one.
Result<Value*> written_shape(Translation& t) {
  const Layout layout = frontend::plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  if (layout == Layout::AsWritten) return sizes;
  const Axes order = frontend::to_channels_last(static_cast<size_t>(x->type().rank()));
  return t.add(ops::Gather, {sizes, ints(t, order)}, ops::AxisAttrs{.axis = 0});
}

bool is_identity(const Axes& perm) { return std::ranges::is_sorted(perm); }

}  // namespace

Status reshape(Translation& t) { return reshape_to(t, wanted(t)); }

Status reshape_to(Translation& t, const std::optional<std::vector<int64_t>>& sizes) {
  const auto width = frontend::width_of_planes(t);
  if (width && sizes && makes_rows(t, *sizes, *width)) return frontend::set_planes(t, *width);
  if (const auto pixels = sizes ? pixels_of(t, *sizes) : std::nullopt) return reshape_pixels(t, *pixels, (*sizes)[0]);
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  Value* shape = sizes ? ints(t, *sizes) : nullptr;
  if (!shape) {
    LAPIS_TRY(shape, as_int64(t, 1));
  }
  const bool has_zero = sizes && std::ranges::count(*sizes, 0) > 0;
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, shape}, ops::ReshapeAttrs{.allowzero = has_zero}));
  return t.set(0, y, Layout::AsWritten);
}

Status squeeze(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(std::vector<int64_t> axes, axes_of_one(t, rank));
  if (t.layout(0) == Layout::ChannelsFirst && rank - static_cast<int64_t>(axes.size()) < 3) {
    // What is left of an image is a list, which has one order.
    LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
    LAPIS_TRY(Value * y, t.add(ops::Squeeze, {x, ints(t, std::move(axes))}));
    return t.set(0, y, Layout::AsWritten);
  }
  return reaxed(t, ops::Squeeze, std::move(axes), rank);
}

Status expand_dims(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(int64_t axis, number(t, 1, "axes"));
  LAPIS_TRY(axis, axis_of(axis, rank + 1));
  const bool keeps = t.layout(0) == Layout::ChannelsFirst && axis > 0 && axis < rank;
  LAPIS_TRY(Value * x, t.real(0, keeps ? Layout::ChannelsFirst : Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Unsqueeze, {x, ints(t, {keeps ? axis + 1 : axis})}));
  return t.set(0, y, keeps ? Layout::ChannelsFirst : Layout::AsWritten);
}

// Where a model turns to the order that Lapis has inside, or back from it, nothing moves.
Status transpose(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(Axes perm, numbers(t, 1, "axes"));
  if (static_cast<int64_t>(perm.size()) != rank)
    return error(ErrorKind::Input, "orders " + std::to_string(perm.size()) + " axes of " + std::to_string(rank));
  const auto count = static_cast<size_t>(rank);
  const Layout from = frontend::plain_layout(t);
  for (int64_t& axis : perm) {
    LAPIS_TRY(axis, axis_of(axis, rank));
    axis = frontend::axis_in(from, axis, count);
  }
  Layout to = Layout::AsWritten;
  if (count >= 3 && !is_identity(perm)) {
    Axes turned;
    for (const int64_t axis : frontend::to_channels_first(count)) turned.push_back(perm[static_cast<size_t>(axis)]);
    if (is_identity(turned)) {
      to = Layout::ChannelsFirst;
      perm = std::move(turned);
    }
  }
  LAPIS_TRY(Value * x, t.real(0, from));
  LAPIS_TRY(Value * y,
            is_identity(perm) ? t.add(ops::Identity, {x}) : t.add(ops::Transpose, {x}, ops::TransposeAttrs{perm}));
  return t.set(0, y, to);
}

Status shape(Translation& t) {
  if (t.input(0).type.is_static()) return set_numbers(t, t.input(0).type.shape(), "out_type", false);
  LAPIS_TRY(Value * sizes, written_shape(t));
  LAPIS_TRY(Value * y,
            frontend::cast(t, sizes, dtype_of_number(t.get<int64_t>("out_type", static_cast<int64_t>(DType::Int32)))));
  return t.set(0, y, Layout::AsWritten);
}

Status size(Translation& t) {
  if (t.input(0).type.is_static()) return set_numbers(t, {element_count(t.input(0).type.shape())}, "out_type", true);
  LAPIS_TRY(Value * x, t.real(0, frontend::plain_layout(t)));
  LAPIS_TRY(Value * count, t.add(ops::Size, {x}));
  LAPIS_TRY(Value * y,
            frontend::cast(t, count, dtype_of_number(t.get<int64_t>("out_type", static_cast<int64_t>(DType::Int32)))));
  return t.set(0, y, Layout::AsWritten);
}

Status rank(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  return set_numbers(t, {rank}, "", true);
}

Status fill(Translation& t) {
  LAPIS_TRY(Value * sizes, as_int64(t, 0));
  LAPIS_TRY(Value * value, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Expand, {value, sizes}));
  return t.set(0, y, Layout::AsWritten);
}

Status broadcast_to(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * sizes, as_int64(t, 1));
  LAPIS_TRY(Value * y, t.add(ops::Expand, {x, sizes}));
  return t.set(0, y, Layout::AsWritten);
}

Status range(Translation& t) {
  std::vector<Value*> inputs;
  for (size_t i = 0; i < 3; ++i) {
    LAPIS_TRY(inputs.emplace_back(), t.real(i, Layout::AsWritten));
  }
  LAPIS_TRY(Value * y, t.add(ops::Range, inputs));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tensorflow_frontend
