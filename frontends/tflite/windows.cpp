// Convolutions and pools: windows over pixels, in NHWC.
#include "frontends/common/windows.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

enum class Padding : uint8_t { Same, Valid };  // by number

using frontend::Window;

// One number for each axis of pixels: stride_h, stride_w, in volumes stride_d before them.
std::vector<int64_t> of_pixels(const Translation& t, const std::string& what, size_t axes, int64_t fallback) {
  std::vector<int64_t> numbers;
  for (const char* axis : {"_d", "_h", "_w"}) numbers.push_back(t.get<int64_t>(what + axis, fallback));
  return {numbers.end() - static_cast<ptrdiff_t>(axes), numbers.end()};
}

// Of an image with channels first.
Result<Window> window_on(const Translation& t, std::vector<int64_t> kernel, const Type& image) {
  const size_t pixels = kernel.size();
  if (!image.ranked() || static_cast<size_t>(image.rank()) != pixels + 2)
    return error(ErrorKind::Input,
                 "its data is " + image.to_string() + ", but an image has " + std::to_string(pixels + 2) + " axes");
  Window w{std::move(kernel), of_pixels(t, "stride", pixels, 0), of_pixels(t, "dilation", pixels, 1)};
  LAPIS_CHECK(frontend::check(w));
  return w;
}

Result<bool> pads_same(const Translation& t) {
  const auto padding = t.get<int64_t>("padding", 0);
  if (padding == static_cast<int64_t>(Padding::Same)) return true;
  if (padding == static_cast<int64_t>(Padding::Valid)) return false;
  return error(ErrorKind::Input, "has the padding number " + std::to_string(padding));
}

Result<Window> window(const Translation& t, std::vector<int64_t> kernel, const Type& image) {
  LAPIS_TRY(Window w, window_on(t, std::move(kernel), image));
  LAPIS_TRY(const bool same, pads_same(t));
  if (same) frontend::pad_same(w, image);
  return w;
}

// The filter as `perm` takes it to [results, operands of a group, pixels...].
Result<Shape> filter_as(const Translation& t, const Axes& perm) {
  const Type& filter = t.input(1).type;
  if (!filter.ranked() || filter.rank() != static_cast<int64_t>(perm.size()))
    return error(ErrorKind::Input,
                 "its filter is " + filter.to_string() + ", not of " + std::to_string(perm.size()) + " axes");
  if (!filter.is_static()) return Translation::unsupported("filters of open size");
  Shape sizes;
  for (const int64_t axis : perm) sizes.push_back(filter.dim(axis).value());
  return sizes;
}

Result<std::vector<Value*>> operands(Translation& t, Value* x, const Axes& perm, size_t bias) {
  LAPIS_CHECK(check_bias(t, bias));
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(inputs.emplace_back(), t.parameter(1, perm));
  if (t.has(bias)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(bias, Layout::AsWritten));
  }
  return inputs;
}

Status convolution(Translation& t, const Axes& perm) {
  LAPIS_TRY(const Shape filter, filter_as(t, perm));
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  LAPIS_TRY(const Window w, window(t, {filter.begin() + 2, filter.end()}, x->type()));
  const Dim channels = x->type().dim(1);
  if (!channels.is_constant() || filter[1] < 1 || channels.value() % filter[1] != 0)
    return error(ErrorKind::Input,
                 "its filter takes " + std::to_string(filter[1]) + " channels, its data is " + x->type().to_string());
  LAPIS_TRY(const std::vector<Value*> inputs, operands(t, x, perm, 2));
  const ops::ConvAttrs attributes{w.auto_pad, w.dilations, channels.value() / filter[1], w.kernel, w.pads, w.strides};
  LAPIS_TRY(Value * y, t.add(ops::Conv, inputs, attributes));
  return t.set(0, y, Layout::ChannelsFirst);
}

// `perm` takes the filter to [operands, results, pixels...]; operand 0 is the shape of the result.
Status transposed_convolution(Translation& t, const Axes& perm) {
  LAPIS_TRY(const Shape filter, filter_as(t, perm));
  LAPIS_TRY(Value * x, t.real(2, Layout::ChannelsFirst));
  LAPIS_TRY(const Window w, window_on(t, {filter.begin() + 2, filter.end()}, x->type()));
  LAPIS_TRY(const bool same, pads_same(t));
  const auto sizes = t.contents(0);
  if (!sizes) return Translation::unsupported("a result whose size is computed");
  if (sizes->size() != perm.size())
    return error(ErrorKind::Input, "the size of its result has " + std::to_string(sizes->size()) + " numbers");
  const Dims pixels(sizes->begin() + 1, sizes->end() - 1);
  LAPIS_TRY(const ops::ConvTransposeAttrs attributes, frontend::transposed(w, x->type(), pixels, same));
  LAPIS_TRY(const std::vector<Value*> inputs, operands(t, x, perm, 3));
  LAPIS_TRY(Value * y, t.add(ops::ConvTranspose, inputs, attributes));
  return t.set(0, y, Layout::ChannelsFirst);
}

// TFLite divides the sum of the stored integers and rounds ties away from zero; ONNX would round them to even. A nudge
// of less than the distance to the next average decides them: (y + zero * scale) / scale is the integer.
Result<Value*> ties_away_from_zero(Translation& t, Value* y, const Window& w) {
  const auto &in = t.input(0).quantization, &out = t.output(0).quantization;
  if (!in || !out || in->scales != out->scales || in->zero_points != out->zero_points || in->scales.size() != 1)
    return y;
  const float scale = in->scales[0], zero = static_cast<float>(in->zero_points[0]) * scale;
  const auto most = static_cast<float>(4 * w.kernel[0] * w.kernel[1]);
  LAPIS_TRY(Value * integer, t.add(ops::Add, {y, t.constant(Tensor::scalar(zero))}));
  LAPIS_TRY(Value * sign, t.add(ops::Sign, {integer}));
  LAPIS_TRY(Value * nudge, t.add(ops::Mul, {sign, t.constant(Tensor::scalar(scale / most))}));
  return t.add(ops::Add, {y, nudge});
}

Result<Value*> averaged(Translation& t, Value* x, const Window& w) {
  LAPIS_TRY(Value * y, t.add(ops::AveragePool, {x}, frontend::pool_attributes<ops::AveragePoolAttrs>(w)));
  return ties_away_from_zero(t, y, w);
}

Result<Value*> largest(Translation& t, Value* x, const Window& w) {
  return t.add(ops::MaxPool, {x}, frontend::pool_attributes<ops::MaxPoolAttrs>(w));
}

// The root of the average of the squares.
Result<Value*> root_of_squares(Translation& t, Value* x, const Window& w) {
  LAPIS_TRY(Value * squares, t.add(ops::Mul, {x, x}));
  LAPIS_TRY(Value * y, t.add(ops::AveragePool, {squares}, frontend::pool_attributes<ops::AveragePoolAttrs>(w)));
  return t.add(ops::Sqrt, {y});
}

using Pool = Result<Value*> (*)(Translation&, Value*, const Window&);
Status pool(Translation& t, Pool pooled) {
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  LAPIS_TRY(const Window w,
            window(t, {t.get<int64_t>("filter_height", 0), t.get<int64_t>("filter_width", 0)}, x->type()));
  LAPIS_TRY(Value * y, pooled(t, x, w));
  return t.set(0, y, Layout::ChannelsFirst);
}

}  // namespace

Status conv(Translation& t) { return convolution(t, {0, 3, 1, 2}); }                             // [O, H, W, I]
Status conv_3d(Translation& t) { return convolution(t, {4, 3, 0, 1, 2}); }                       // [D, H, W, I, O]
Status depthwise_conv(Translation& t) { return convolution(t, {3, 0, 1, 2}); }                   // [1, H, W, O]
Status transpose_conv(Translation& t) { return transposed_convolution(t, {3, 0, 1, 2}); }        // [O, H, W, I]
Status conv_3d_transpose(Translation& t) { return transposed_convolution(t, {4, 3, 0, 1, 2}); }  // [D, H, W, O, I]

// All leave the padding out, as ONNX's defaults do.
Status average_pool(Translation& t) { return pool(t, averaged); }
Status l2_pool(Translation& t) { return pool(t, root_of_squares); }
Status max_pool(Translation& t) { return pool(t, largest); }

}  // namespace lapis::tflite_frontend
