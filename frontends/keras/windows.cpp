// Convolutions and pools: windows over one to three axes of pixels, channels last or,
// where `data_format` says so, first.
#include "frontends/keras/windows.h"

#include <algorithm>
#include <numeric>

#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

using frontend::Window;

Status pad(const Translation& t, Window& w, const Type& image) {
  const auto padding = t.get<std::string>("padding", "valid");
  if (padding == "same") {
    frontend::pad_same(w, image);
  } else if (padding == "causal" && w.kernel.size() == 1) {
    w.pads = {(w.kernel[0] - 1) * w.dilations[0], 0};
  } else if (padding != "valid") {
    return error(ErrorKind::Input, "has the padding '" + padding + "'");
  }
  return ok();
}

std::vector<int64_t> ones(size_t count) { return std::vector<int64_t>(count, 1); }

// The sizes of the kernel, operand 1: pixels, then channels.
Result<Shape> kernel_of(const Translation& t, size_t axes) {
  const Tensor& kernel = t.input(1).constant;
  if (!kernel.defined() || kernel.rank() != static_cast<int64_t>(axes + 2) || kernel.size() == 0)
    return error(ErrorKind::Input,
                 "its kernel is " + t.input(1).type.to_string() + " for " + t.input(0).type.to_string());
  return kernel.shape();
}

Result<int64_t> channels_of(const Value* image) {
  const Dim& channels = image->type().dim(1);
  if (channels.is_constant() && channels.value() > 0) return channels.value();
  return Translation::unsupported("an open number of channels");
}

Diagnostic does_not_fit(const Translation& t) {
  return error(ErrorKind::Input,
               "its kernel " + t.input(1).type.to_string() + " does not fit its data " + t.input(0).type.to_string());
}

Result<Value*> convolved(Translation& t, Value* x, Value* kernel, size_t bias, const Window& w, int64_t groups) {
  std::vector<Value*> inputs = {x, kernel};
  if (t.has(bias)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(bias, Layout::AsWritten));
  }
  return t.add(ops::Conv, inputs, ops::ConvAttrs{w.auto_pad, w.dilations, groups, w.kernel, w.pads, w.strides});
}

Status finish(Translation& t, Value* y) {
  const Layout layout = image_layout(t);
  // The last axis as it is written: channels, or where those stand first the pixels of a row, as Keras has it.
  LAPIS_TRY(y, activated(t, y, layout));
  return t.set(0, y, layout);
}

// Each channel becomes as many as the kernel's last axis says.
Result<Value*> depthwise(Translation& t, Value* x, size_t bias) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  LAPIS_TRY(const Shape kernel, kernel_of(t, axes));
  LAPIS_TRY(const int64_t channels, channels_of(x));
  if (kernel[axes] != channels) return does_not_fit(t);
  LAPIS_TRY(const Window w, window(t, {kernel.begin(), kernel.end() - 2}, ones(axes), x->type()));
  LAPIS_TRY(Value * weights, t.parameter(1, frontend::filters_first(axes + 2, false)));
  if (kernel[axes + 1] != 1) {
    Shape flat = {channels * kernel[axes + 1], 1};
    flat.insert(flat.end(), kernel.begin(), kernel.end() - 2);
    LAPIS_TRY(weights, frontend::reshape(t, weights, std::move(flat)));
  }
  return convolved(t, x, weights, bias, w, channels);
}

template <class Attrs> Status pool(Translation& t, const OpDef& op) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(const std::vector<int64_t> kernel, option(t, "pool_size", axes, 2));
  LAPIS_TRY(const Window w, window(t, kernel, kernel, x->type()));
  LAPIS_TRY(Value * y, t.add(op, {x}, frontend::pool_attributes<Attrs>(w)));
  return t.set(0, y, image_layout(t));
}

// As many windows as are asked for, all alike: their number divides that of the pixels.
template <class Attrs> Status adaptive_pool(Translation& t, const OpDef& op) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(const std::vector<int64_t> sizes, option(t, "output_size", axes, 1));
  Window w{{}, {}, ones(axes)};
  for (size_t i = 0; i < axes; ++i) {
    const Dim& pixels = x->type().dim(static_cast<int64_t>(i) + 2);
    if (!pixels.is_constant() || sizes[i] < 1 || pixels.value() % sizes[i] != 0)
      return Translation::unsupported("sizes of the result that do not divide those of the data");
    w.kernel.push_back(pixels.value() / sizes[i]);
  }
  w.strides = w.kernel;
  LAPIS_CHECK(frontend::check(w));
  LAPIS_TRY(Value * y, t.add(op, {x}, frontend::pool_attributes<Attrs>(w)));
  return t.set(0, y, image_layout(t));
}

Status global_pool(Translation& t, const OpDef& op) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  std::vector<int64_t> pixels(axes);
  std::iota(pixels.begin(), pixels.end(), first_pixel_axis(t));
  return frontend::reduce(t, op, std::move(pixels), t.get<bool>("keepdims", false));
}

constexpr size_t kMask = 1;

// Of the steps that count.
Status masked_average(Translation& t) {
  const int64_t steps = first_pixel_axis(t);
  const bool keepdims = t.get<bool>("keepdims", false);
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * counts, step_mask(t, kMask));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(counts));
  if (rank != 2) return Translation::unsupported("a mask that is not [N, steps]");
  LAPIS_TRY(counts, frontend::unsqueeze(t, counts, {3 - steps}));
  LAPIS_TRY(x, t.add(ops::Where, {counts, x, frontend::scalar(t, 0, x->dtype())}));
  LAPIS_TRY(Value * ones, frontend::cast(t, counts, x->dtype()));
  LAPIS_TRY(Value * sum, frontend::reduce(t, ops::ReduceSum, x, {steps}, keepdims));
  LAPIS_TRY(Value * count, frontend::reduce(t, ops::ReduceSum, ones, {steps}, keepdims));
  LAPIS_TRY(Value * y, t.add(ops::Div, {sum, count}));
  return t.set(0, y, Layout::AsWritten);
}

// The pixels that a transposed convolution gives: SAME as many as strides, VALID all of them;
// `output_padding` says it otherwise.
Result<Dims> transposed_sizes(const Translation& t, const Window& w, const Type& image, bool same) {
  std::vector<int64_t> added;
  if (t.node().attributes.contains("output_padding")) {
    LAPIS_TRY(added, option(t, "output_padding", w.kernel.size(), 0));
  }
  Dims sizes;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1, stride = w.strides[i];
    const Dim& pixels = image.dim(static_cast<int64_t>(i) + 2);
    if (added.empty()) {
      sizes.push_back(pixels * Dim(stride) + Dim(same ? 0 : std::max<int64_t>(reach - stride, 0)));
    } else if (added[i] < 0 || added[i] >= stride) {
      return error(ErrorKind::Input, "has an output_padding of " + std::to_string(added[i]));
    } else {
      sizes.push_back((pixels - 1) * Dim(stride) + Dim(reach - (same ? 2 * (reach / 2) : 0) + added[i]));
    }
  }
  return sizes;
}

}  // namespace

Result<Window> window(const Translation& t, std::vector<int64_t> kernel, const std::vector<int64_t>& strides,
                      const Type& image) {
  const size_t axes = kernel.size();
  Window w{std::move(kernel), strides, {}};
  if (t.node().attributes.contains("strides")) {
    LAPIS_TRY(w.strides, option(t, "strides", axes, 1));
  }
  LAPIS_TRY(w.dilations, option(t, "dilation_rate", axes, 1));
  LAPIS_CHECK(frontend::check(w));
  LAPIS_CHECK(pad(t, w, image));
  return w;
}

Status conv(Translation& t) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  LAPIS_TRY(const Shape kernel, kernel_of(t, axes));
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(const int64_t channels, channels_of(x));
  if (channels % kernel[axes] != 0) return does_not_fit(t);
  LAPIS_TRY(const Window w, window(t, {kernel.begin(), kernel.end() - 2}, ones(axes), x->type()));
  LAPIS_TRY(Value * weights, t.parameter(1, frontend::filters_first(axes + 2, true)));
  LAPIS_TRY(Value * y, convolved(t, x, weights, 2, w, channels / kernel[axes]));
  return finish(t, y);
}

Status depthwise_conv(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(Value * y, depthwise(t, x, 2));
  return finish(t, y);
}

Status separable_conv(Translation& t) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  LAPIS_TRY(Value * middle, depthwise(t, x, SIZE_MAX));
  LAPIS_TRY(Value * points, t.parameter(2, frontend::filters_first(axes + 2, true)));
  LAPIS_TRY(Value * y, convolved(t, middle, points, 3, {ones(axes), ones(axes), ones(axes)}, 1));
  return finish(t, y);
}

// The kernel is [H, W, out, in].
Status conv_transpose(Translation& t) {
  LAPIS_TRY(const size_t axes, pixel_axes(t));
  LAPIS_TRY(const Shape kernel, kernel_of(t, axes));
  LAPIS_TRY(Value * x, t.real(0, image_layout(t)));
  Window w{{kernel.begin(), kernel.end() - 2}, {}, {}};
  LAPIS_TRY(w.strides, option(t, "strides", axes, 1));
  LAPIS_TRY(w.dilations, option(t, "dilation_rate", axes, 1));
  LAPIS_CHECK(frontend::check(w));
  const auto padding = t.get<std::string>("padding", "valid");
  if (padding != "same" && padding != "valid") return Translation::unsupported("the padding '" + padding + "'");
  LAPIS_TRY(const Dims sizes, transposed_sizes(t, w, x->type(), padding == "same"));
  LAPIS_TRY(const ops::ConvTransposeAttrs attributes, frontend::transposed(w, x->type(), sizes, padding == "same"));
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(inputs.emplace_back(), t.parameter(1, frontend::filters_first(axes + 2, true)));
  if (t.has(2)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(2, Layout::AsWritten));
  }
  LAPIS_TRY(Value * y, t.add(ops::ConvTranspose, inputs, attributes));
  return finish(t, y);
}

// Both leave the padding out, as ONNX's defaults do.
Status average_pool(Translation& t) { return pool<ops::AveragePoolAttrs>(t, ops::AveragePool); }
Status max_pool(Translation& t) { return pool<ops::MaxPoolAttrs>(t, ops::MaxPool); }
Status adaptive_average_pool(Translation& t) { return adaptive_pool<ops::AveragePoolAttrs>(t, ops::AveragePool); }
Status adaptive_max_pool(Translation& t) { return adaptive_pool<ops::MaxPoolAttrs>(t, ops::MaxPool); }
Status global_average_pool(Translation& t) {
  return t.has(kMask) ? masked_average(t) : global_pool(t, ops::ReduceMean);
}
Status global_max_pool(Translation& t) { return global_pool(t, ops::ReduceMax); }

}  // namespace lapis::keras_frontend
