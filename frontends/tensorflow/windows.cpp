// Convolutions, pools and resizing: windows over pixels, channels last or, where `data_format` says so, first.
#include "frontends/common/windows.h"

#include <algorithm>

#include "frontends/tensorflow/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::Window;

Layout image_layout(const Translation& t) { return has_channels_first(t) ? Layout::AsWritten : Layout::ChannelsFirst; }

// Of a list with a number for each axis, those of the pixels.
Result<std::vector<int64_t>> of_pixels(const Translation& t, const std::vector<int64_t>& list, const char* what) {
  if (list.size() < 3) return error(ErrorKind::Input, "has " + std::to_string(list.size()) + " " + what);
  const bool first = has_channels_first(t);
  if (list[0] != 1 || (first ? list[1] : list.back()) != 1)
    return Translation::unsupported(std::string(what) + " over images or channels");
  return first ? std::vector<int64_t>(list.begin() + 2, list.end())
               : std::vector<int64_t>(list.begin() + 1, list.end() - 1);
}

Result<std::vector<int64_t>> of_pixels(const Translation& t, const char* attribute, size_t axes) {
  return of_pixels(t, t.get<std::vector<int64_t>>(attribute, std::vector<int64_t>(axes, 1)), attribute);
}

// Begins and ends, as ONNX writes them.
Result<std::vector<int64_t>> explicit_pads(const Translation& t, size_t pixels) {
  const auto list = t.get<std::vector<int64_t>>("explicit_paddings", {});
  const bool first = has_channels_first(t);
  if (list.size() != 2 * (pixels + 2) || std::ranges::any_of(list, [](int64_t p) { return p < 0 || p > INT32_MAX; }))
    return error(ErrorKind::Input, "its explicit_paddings are not two numbers for each axis");
  std::vector<int64_t> pads(2 * pixels);
  for (size_t i = 0; i < pixels; ++i) {
    pads[i] = list[2 * (i + (first ? 2 : 1))];
    pads[pixels + i] = list[2 * (i + (first ? 2 : 1)) + 1];
  }
  return pads;
}

Result<Window> window(const Translation& t, std::vector<int64_t> kernel, std::vector<int64_t> strides,
                      const Type& image) {
  const size_t axes = kernel.size() + 2;
  if (!image.ranked() || static_cast<size_t>(image.rank()) != axes || strides.size() != kernel.size())
    return error(ErrorKind::Input, "its data is " + image.to_string() + ", but its window has " +
                                       std::to_string(kernel.size()) + " axes");
  Window w{std::move(kernel), std::move(strides), {}};
  LAPIS_TRY(w.dilations, of_pixels(t, "dilations", axes));
  if (w.dilations.size() != w.kernel.size()) return error(ErrorKind::Input, "its dilations do not fit its window");
  LAPIS_CHECK(frontend::check(w));
  const auto padding = t.get<std::string>("padding", "");
  if (padding == "SAME") {
    frontend::pad_same(w, image);
  } else if (padding == "EXPLICIT") {
    LAPIS_TRY(w.pads, explicit_pads(t, w.kernel.size()));
  } else if (padding != "VALID") {
    return error(ErrorKind::Input, "has the padding '" + padding + "'");
  }
  return w;
}

// ---- convolutions ---------------------------------------------------------------------------------------------------

// The sizes of a filter: those of its window, then channels.
Result<Shape> filter_of(const Translation& t, size_t i) {
  const Type& type = t.input(i).type;
  if (!type.is_static()) return Translation::unsupported("filters of open size");
  if (type.rank() != 4 && type.rank() != 5)
    return error(ErrorKind::Input, "its filter is " + type.to_string() + ", not of 4 or 5 axes");
  return type.shape();
}

struct Convolution {
  Value* image;
  Window window;
  int64_t channels;
};
Result<Convolution> convolution(Translation& t, const Shape& filter) {
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(std::vector<int64_t> strides, of_pixels(t, "strides", filter.size()));
  LAPIS_TRY(Window w, window(t, {filter.begin(), filter.end() - 2}, std::move(strides), x->type()));
  const Dim channels = x->type().dim(1);
  if (!channels.is_constant()) return Translation::unsupported("an open number of channels");
  return Convolution{x, std::move(w), channels.value()};
}

Status convolve(Translation& t, const Convolution& c, Value* filter, int64_t groups) {
  const Window& w = c.window;
  const ops::ConvAttrs attributes{w.auto_pad, w.dilations, groups, w.kernel, w.pads, w.strides};
  LAPIS_TRY(Value * y, t.add(ops::Conv, {c.image, filter}, attributes));
  return t.set(0, y, image_layout(t));
}

// ---- transposed convolutions ----------------------------------------------------------------------------------------

// The sizes of the result: of all axes, or of the pixels only.
Result<Dims> result_sizes(const Translation& t, size_t rank) {
  const auto sizes = t.contents(0);
  if (!sizes) return Translation::unsupported("a result whose size is computed");
  if (sizes->size() != rank && sizes->size() != rank - 2)
    return error(ErrorKind::Input, "the size of its result has " + std::to_string(sizes->size()) + " numbers");
  if (sizes->size() == rank - 2) return *sizes;
  const auto begin = sizes->begin() + (has_channels_first(t) ? 2 : 1);
  return Dims(begin, begin + static_cast<ptrdiff_t>(rank - 2));
}

// ---- pools ----------------------------------------------------------------------------------------------------------

// ksize and strides are attributes, or operands of newer operators.
Result<std::vector<int64_t>> pool_numbers(const Translation& t, const char* attribute, size_t operand) {
  if (!t.has(operand)) return of_pixels(t, t.get<std::vector<int64_t>>(attribute, {}), attribute);
  LAPIS_TRY(const std::vector<int64_t> list, numbers(t, operand, attribute));
  return of_pixels(t, list, attribute);
}

template <class Attrs> Status pool(Translation& t, const OpDef& op) {
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(std::vector<int64_t> kernel, pool_numbers(t, "ksize", 1));
  LAPIS_TRY(std::vector<int64_t> strides, pool_numbers(t, "strides", 2));
  LAPIS_TRY(const Window w, window(t, std::move(kernel), std::move(strides), x->type()));
  LAPIS_TRY(Value * y, t.add(op, {x}, frontend::pool_attributes<Attrs>(w)));
  return t.set(0, y, image_layout(t));
}

// ---- resizing -------------------------------------------------------------------------------------------------------

Status resize(Translation& t, ops::ResizeAttrs attributes) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  constexpr int64_t kImage = 4;
  if (rank != kImage) return error(ErrorKind::Input, "its data has " + std::to_string(rank) + " axes, not 4");
  attributes.axes = {2, 3};
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  LAPIS_TRY(Value * sizes, as_int64(t, 1));
  LAPIS_TRY(Value * y, t.add(ops::Resize, {x, nullptr, nullptr, sizes}, attributes));
  LAPIS_TRY(y, frontend::cast(t, y, t.node().op == "ResizeBilinear" ? DType::Float32 : x->dtype()));
  return t.set(0, y, Layout::ChannelsFirst);
}

}  // namespace

// Filters are [H, W, in, out] with or without D in front.
Status conv(Translation& t) {
  LAPIS_TRY(const Shape filter, filter_of(t, 1));
  LAPIS_TRY(const Convolution c, convolution(t, filter));
  const int64_t operands = filter[filter.size() - 2];
  if (operands < 1 || c.channels % operands != 0)
    return error(ErrorKind::Input, "its filter takes " + std::to_string(operands) + " channels, its data has " +
                                       std::to_string(c.channels));
  LAPIS_TRY(Value * weights, t.parameter(1, frontend::filters_first(filter.size(), true)));
  return convolve(t, c, weights, c.channels / operands);
}

// The filter is [H, W, C, multiples]: each channel becomes so many.
Status depthwise_conv(Translation& t) {
  LAPIS_TRY(const Shape filter, filter_of(t, 1));
  LAPIS_TRY(const Convolution c, convolution(t, filter));
  if (filter[2] != c.channels)
    return error(ErrorKind::Input, "its filter has " + std::to_string(filter[2]) + " channels, its data has " +
                                       std::to_string(c.channels));
  LAPIS_TRY(Value * weights, t.parameter(1, frontend::filters_first(filter.size(), false)));
  if (filter[3] != 1) {
    Value* shape = ints(t, {filter[2] * filter[3], 1, filter[0], filter[1]});
    LAPIS_TRY(weights, t.add(ops::Reshape, {weights, shape}));
  }
  return convolve(t, c, weights, c.channels);
}

// The filter is [H, W, out, in]: that of the convolution whose gradient this is.
Status conv_transpose(Translation& t) {
  LAPIS_TRY(const Shape filter, filter_of(t, 1));
  const size_t pixels = filter.size() - 2;
  LAPIS_TRY(const std::vector<int64_t> strides, of_pixels(t, "strides", filter.size()));
  LAPIS_TRY(const std::vector<int64_t> dilations, of_pixels(t, "dilations", filter.size()));
  const Window w{{filter.begin(), filter.end() - 2}, strides, dilations};
  LAPIS_CHECK(frontend::check(w));
  if (t.get<std::string>("padding", "") == "EXPLICIT") return Translation::unsupported("explicit padding");
  LAPIS_TRY(Value * x, t.real(2, image_layout(t)));
  if (!x->type().ranked() || static_cast<size_t>(x->type().rank()) != filter.size() || strides.size() != pixels ||
      dilations.size() != pixels)
    return error(ErrorKind::Input, "its data is " + x->type().to_string() + ", which does not fit its filter");
  LAPIS_TRY(const Dims sizes, result_sizes(t, filter.size()));
  const bool same = t.get<std::string>("padding", "") == "SAME";
  LAPIS_TRY(const ops::ConvTransposeAttrs attributes, frontend::transposed(w, x->type(), sizes, same));
  LAPIS_TRY(Value * weights, t.parameter(1, frontend::filters_first(filter.size(), true)));
  LAPIS_TRY(Value * y, t.add(ops::ConvTranspose, {x, weights}, attributes));
  return t.set(0, y, image_layout(t));
}

// Both leave the padding out, as ONNX's defaults do.
Status average_pool(Translation& t) { return pool<ops::AveragePoolAttrs>(t, ops::AveragePool); }
Status max_pool(Translation& t) { return pool<ops::MaxPoolAttrs>(t, ops::MaxPool); }

Status resize_bilinear(Translation& t) {
  ops::ResizeAttrs attributes;
  attributes.mode = "linear";
  attributes.coordinate_transformation_mode = t.get<bool>("align_corners", false)        ? "align_corners"
                                              : t.get<bool>("half_pixel_centers", false) ? "half_pixel"
                                                                                         : "asymmetric";
  return resize(t, std::move(attributes));
}

// Half a pixel further, rounded half up, is what lies below.
Status resize_nearest(Translation& t) {
  const bool corners = t.get<bool>("align_corners", false), half = t.get<bool>("half_pixel_centers", false);
  ops::ResizeAttrs attributes;
  attributes.coordinate_transformation_mode = corners ? "align_corners" : half ? "half_pixel" : "asymmetric";
  attributes.nearest_mode = corners || half ? "round_prefer_ceil" : "floor";
  return resize(t, std::move(attributes));
}

}  // namespace lapis::tensorflow_frontend
