// Convolutions and pools: windows over pixels, in NHWC.
#include "frontends/common/windows.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

constexpr size_t kRank = 4;
enum class Padding : uint8_t { Same, Valid };  // by number

using frontend::Window;

// The window of an operator on an image with channels first.
Result<Window> window(const Translation& t, std::vector<int64_t> kernel, const Type& image) {
  if (!image.ranked() || image.rank() != kRank)
    return error(ErrorKind::Input, "its data is " + image.to_string() + ", but an image has 4 axes");
  Window w{std::move(kernel),
           {t.get<int64_t>("stride_h", 0), t.get<int64_t>("stride_w", 0)},
           {t.get<int64_t>("dilation_h", 1), t.get<int64_t>("dilation_w", 1)}};
  LAPIS_CHECK(frontend::check(w));
  const auto padding = t.get<int64_t>("padding", 0);
  if (padding == static_cast<int64_t>(Padding::Same))
    frontend::pad_same(w, image);
  else if (padding != static_cast<int64_t>(Padding::Valid))
    return error(ErrorKind::Input, "has the padding number " + std::to_string(padding));
  return w;
}

Status finish(Translation& t, Value* y) {
  LAPIS_TRY(y, activated(t, y));
  return t.set(0, y, Layout::ChannelsFirst);
}

Status check_filter(const Translation& t) {
  const Type& filter = t.input(1).type;
  if (filter.rank() != kRank) return error(ErrorKind::Input, "its filter is " + filter.to_string() + ", not of 4 axes");
  if (!filter.is_static()) return Translation::unsupported("filters of open size");
  return check_bias(t);
}

// `perm` takes the filter to [results, operands of a group, H, W].
Status convolution(Translation& t, const Axes& perm, bool depthwise) {
  LAPIS_CHECK(check_filter(t));
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  const Shape filter = t.input(1).type.shape();
  LAPIS_TRY(const Window w, window(t, {filter[1], filter[2]}, x->type()));
  const Dim channels = x->type().dim(1);
  const int64_t operands = depthwise ? 1 : filter[3];
  if (!channels.is_constant() || operands < 1 || channels.value() % operands != 0)
    return error(ErrorKind::Input,
                 "its filter takes " + std::to_string(operands) + " channels, its data is " + x->type().to_string());
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(inputs.emplace_back(), t.parameter(1, perm));
  if (t.has(2)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(2, Layout::AsWritten));
  }
  const ops::ConvAttrs attributes{w.auto_pad, w.dilations, channels.value() / operands, w.kernel, w.pads, w.strides};
  LAPIS_TRY(Value * y, t.add(ops::Conv, inputs, attributes));
  return finish(t, y);
}

// TFLite divides the sum of the stored integers and rounds ties away from zero; ONNX would round them to even. A nudge of less than the
// distance to the next average decides them: (y + zero * scale) / scale is the integer.
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

using Pool = Result<Value*> (*)(Translation&, Value*, const Window&);
Status pool(Translation& t, Pool pooled) {
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  LAPIS_TRY(const Window w,
            window(t, {t.get<int64_t>("filter_height", 0), t.get<int64_t>("filter_width", 0)}, x->type()));
  LAPIS_TRY(Value * y, pooled(t, x, w));
  return finish(t, y);
}

}  // namespace

Status conv(Translation& t) { return convolution(t, {0, 3, 1, 2}, false); }           // [O, H, W, I]
Status depthwise_conv(Translation& t) { return convolution(t, {3, 0, 1, 2}, true); }  // [1, H, W, O]

// Both leave the padding out, as ONNX's defaults do.
Status average_pool(Translation& t) { return pool(t, averaged); }
Status max_pool(Translation& t) { return pool(t, largest); }

}  // namespace lapis::tflite_frontend
