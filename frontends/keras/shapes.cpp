// Layers that move, repeat, add and leave out elements.
#include <algorithm>

#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

// Two numbers for each axis of pixels: what is added or cut off in front and behind.
// One number, one for each axis, or all of them.
Result<std::vector<int64_t>> edges(const Translation& t, const char* name, size_t axes) {
  std::vector<int64_t> given = t.get<std::vector<int64_t>>(name, {});
  if (given.empty()) given.assign(1, t.get<int64_t>(name, 1));
  if (given.size() != 2 * axes && given.size() != axes && given.size() != 1)
    return error(ErrorKind::Input, "its " + std::string(name) + " does not fit its data");
  std::vector<int64_t> result;
  for (size_t i = 0; i < 2 * axes; ++i) {
    result.push_back(given.size() == 2 * axes ? given[i] : given.size() == axes ? given[i / 2] : given[0]);
    if (result.back() < 0 || result.back() > INT32_MAX)
      return error(ErrorKind::Input, "its " + std::string(name) + " is negative or too large");
  }
  return result;
}

// The order in which padding and cropping leave their data, and where its axis of pixels `i` stands.
struct PixelOrder {
  Layout layout;
  std::vector<int64_t> axes;
};
Result<PixelOrder> pixel_order(const Translation& t) {
  LAPIS_TRY(const size_t pixels, pixel_axes(t));
  PixelOrder order{has_channels_first(t) ? Layout::AsWritten : frontend::plain_layout(t), {}};
  for (size_t i = 0; i < pixels; ++i)
    order.axes.push_back(frontend::axis_in(order.layout, first_pixel_axis(t) + static_cast<int64_t>(i), pixels + 2));
  return order;
}

// Half a pixel further, rounded half up, is what lies below.
Result<ops::ResizeAttrs> interpolation(const Translation& t, const char* fallback) {
  const auto mode = t.get<std::string>("interpolation", fallback);
  ops::ResizeAttrs attributes;
  if (mode == "nearest") {
    attributes.nearest_mode = "round_prefer_ceil";
  } else if (mode == "bilinear") {
    attributes.mode = "linear";
  } else if (mode == "bicubic") {
    attributes.mode = "cubic";
    attributes.cubic_coeff_a = -0.5f;
    attributes.exclude_outside = true;
  } else {
    return Translation::unsupported("the interpolation '" + mode + "'");
  }
  return attributes;
}

std::vector<int64_t> pixel_axes_of_planes(size_t pixels) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < pixels; ++i) axes.push_back(static_cast<int64_t>(i) + 2);
  return axes;
}

// Keras 3 gives integers for integers.
Result<Value*> of_type(Translation& t, Value* x, DType type) {
  constexpr double kLargest = 255;
  if (!is_integer(type) || t.get<int64_t>("keras_version", 2) < 3) return x;
  if (type != DType::UInt8) return Translation::unsupported("integers that are not uint8");
  LAPIS_TRY(x, t.add(ops::Round, {x}));
  LAPIS_TRY(Value * least, frontend::scalar_like(t, 0, x));
  LAPIS_TRY(Value * most, frontend::scalar_like(t, kLargest, x));
  LAPIS_TRY(x, t.add(ops::Clip, {x, least, most}));
  return frontend::cast(t, x, type);
}

// The sizes behind the first two axes, all of them known.
Result<Shape> step_sizes(const Type& type, int64_t from) {
  Shape sizes;
  for (int64_t axis = from; axis < type.rank(); ++axis) {
    if (!type.dim(axis).is_constant()) return Translation::unsupported("steps of open size");
    sizes.push_back(type.dim(axis).value());
  }
  return sizes;
}

}  // namespace

// [N, steps, ...] as [N * steps, ...], and back: for layers that are applied to each step.
Status begin_steps(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  if (rank < 3) return error(ErrorKind::Input, "its data is " + t.input(0).type.to_string() + ", which has no steps");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Shape shape, step_sizes(x->type(), 2));
  shape.insert(shape.begin(), -1);
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, frontend::ints(t, std::move(shape))}));
  return t.set(0, y, Layout::AsWritten);
}

// The mask of such data, which has one for each step if it has more axes than those:
// [N, steps, ...] as [N * steps, ...].
Status mask_of_steps(Translation& t) {
  LAPIS_TRY(Value * mask, t.real(0, Layout::AsWritten));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(mask));
  if (rank < 2) return error(ErrorKind::Input, "its mask is " + mask->type().to_string() + ", which has no steps");
  LAPIS_TRY(Shape shape, step_sizes(mask->type(), 2));
  shape.insert(shape.begin(), -1);
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {mask, frontend::ints(t, std::move(shape))}));
  return t.set(0, y, Layout::AsWritten);
}

Status end_steps(Translation& t) {
  if (!t.input(1).type.ranked() || t.input(1).type.rank() < 2) return Translation::unsupported("data of unknown rank");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_CHECK(frontend::rank_of(x));
  LAPIS_TRY(Shape shape, step_sizes(x->type(), 1));
  const Dim steps = t.input(1).type.dim(1), samples = t.input(1).type.dim(0);
  if (!steps.is_constant() && !samples.is_constant()) return Translation::unsupported("an open number of steps");
  shape.insert(shape.begin(), {samples.is_constant() && !steps.is_constant() ? samples.value() : -1,
                               steps.is_constant() ? steps.value() : -1});
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, frontend::ints(t, std::move(shape))}));
  return t.set(0, y, Layout::AsWritten);
}

Status cropping(Translation& t) {
  LAPIS_TRY(const PixelOrder order, pixel_order(t));
  LAPIS_TRY(const std::vector<int64_t> cut, edges(t, "cropping", order.axes.size()));
  std::vector<int64_t> begins, ends;
  for (size_t i = 0; i < order.axes.size(); ++i) {
    begins.push_back(cut[2 * i]);
    ends.push_back(cut[2 * i + 1] == 0 ? INT64_MAX : -cut[2 * i + 1]);
  }
  LAPIS_TRY(Value * x, t.real(0, order.layout));
  LAPIS_TRY(Value * y, t.add(ops::Slice, {x, frontend::ints(t, std::move(begins)), frontend::ints(t, std::move(ends)),
                                          frontend::ints(t, order.axes)}));
  return t.set(0, y, order.layout);
}

// What is left over is cut off in front and behind, the odd pixel behind.
Status center_crop(Translation& t) {
  LAPIS_TRY(const PixelOrder order, pixel_order(t));
  if (order.axes.size() != 2) return error(ErrorKind::Input, "its data is " + t.input(0).type.to_string());
  LAPIS_TRY(Value * x, t.real(0, order.layout));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Float32));
  const int64_t sizes[] = {t.get<int64_t>("height", 0), t.get<int64_t>("width", 0)};
  std::vector<int64_t> begins, ends;
  for (const size_t i : {0, 1}) {
    const Dim& pixels = x->type().dim(order.axes[i]);
    if (!pixels.is_constant() || sizes[i] < 1 || pixels.value() < sizes[i])
      return Translation::unsupported("pictures of open size, or smaller than what is cut out of them");
    begins.push_back((pixels.value() - sizes[i]) / 2);
    ends.push_back(begins.back() + sizes[i]);
  }
  LAPIS_TRY(Value * y, t.add(ops::Slice, {x, frontend::ints(t, std::move(begins)), frontend::ints(t, std::move(ends)),
                                          frontend::ints(t, order.axes)}));
  return t.set(0, y, order.layout);
}

// Channels stand last in what comes out, whatever order they come in.
Status flatten(Translation& t) {
  if (!has_channels_first(t))
    if (const auto width = frontend::width_of_planes(t)) return frontend::set_planes(t, *width);
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (has_channels_first(t) && rank > 2) {
    LAPIS_TRY(x, frontend::transpose(t, x, frontend::to_channels_last(static_cast<size_t>(rank))));
  }
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, frontend::ints(t, {0, -1})}));
  return t.set(0, y, Layout::AsWritten);
}

Status permute(Translation& t) {
  Axes perm = t.get<std::vector<int64_t>>("dims", {});
  perm.insert(perm.begin(), 0);
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Transpose, {x}, ops::TransposeAttrs{perm}));
  return t.set(0, y, Layout::AsWritten);
}

Status repeat_vector(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(x, frontend::unsqueeze(t, x, {1}));
  LAPIS_TRY(Value * y, t.add(ops::Tile, {x, frontend::ints(t, {1, t.get<int64_t>("n", 1), 1})}));
  return t.set(0, y, Layout::AsWritten);
}

Status reshape(Translation& t) {
  std::vector<int64_t> shape = t.get<std::vector<int64_t>>("target_shape", {});
  shape.insert(shape.begin(), 0);  // of each sample
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, frontend::ints(t, std::move(shape))}));
  return t.set(0, y, Layout::AsWritten);
}

Status resizing(Translation& t) {
  for (const char* other : {"crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"})
    if (t.get<bool>(other, false)) return Translation::unsupported(other);
  LAPIS_TRY(const size_t pixels, pixel_axes(t));
  LAPIS_TRY(ops::ResizeAttrs attributes, interpolation(t, "bilinear"));
  attributes.axes = pixel_axes_of_planes(pixels);
  LAPIS_TRY(Value * image, t.real(0, image_layout(t)));
  LAPIS_TRY(Value * x, frontend::cast(t, image, DType::Float32));
  Value* const sizes = frontend::ints(t, {t.get<int64_t>("height", 0), t.get<int64_t>("width", 0)});
  LAPIS_TRY(Value * y, t.add(ops::Resize, {x, nullptr, nullptr, sizes}, attributes));
  LAPIS_TRY(y, of_type(t, y, image->dtype()));
  return t.set(0, y, image_layout(t));
}

Status upsampling(Translation& t) {
  LAPIS_TRY(const size_t pixels, pixel_axes(t));
  LAPIS_TRY(const std::vector<int64_t> sizes, option(t, "size", pixels, 2));
  LAPIS_TRY(ops::ResizeAttrs attributes, interpolation(t, "nearest"));
  if (attributes.mode == "nearest") {
    attributes.coordinate_transformation_mode = "asymmetric";
    attributes.nearest_mode = "floor";
  }
  attributes.axes = pixel_axes_of_planes(pixels);
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  Value* const scales = t.constant(Tensor::vector(std::vector<float>(sizes.begin(), sizes.end())));
  LAPIS_TRY(Value * y, t.add(ops::Resize, {x, nullptr, scales}, attributes));
  return t.set(0, y, image_layout(t));
}

Status zero_padding(Translation& t) {
  LAPIS_TRY(const PixelOrder order, pixel_order(t));
  LAPIS_TRY(const std::vector<int64_t> padding, edges(t, "padding", order.axes.size()));
  const size_t rank = order.axes.size() + 2;
  std::vector<int64_t> pads(2 * rank, 0);
  for (size_t i = 0; i < order.axes.size(); ++i) {
    pads[static_cast<size_t>(order.axes[i])] = padding[2 * i];
    pads[rank + static_cast<size_t>(order.axes[i])] = padding[2 * i + 1];
  }
  LAPIS_TRY(Value * x, t.real(0, order.layout));
  LAPIS_TRY(Value * y, t.add(ops::Pad, {x, frontend::ints(t, std::move(pads))}));
  return t.set(0, y, order.layout);
}

}  // namespace lapis::keras_frontend
