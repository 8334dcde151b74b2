// Convolutions, pools and resizing.
#include <algorithm>
#include <cmath>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"
#include "frontends/pytorch/windows.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {

Result<std::vector<int64_t>> for_axes(std::vector<int64_t> list, size_t axes) {
  if (list.size() == 1) list.assign(axes, list[0]);
  if (list.size() != axes)
    return error(ErrorKind::Input,
                 "has " + std::to_string(list.size()) + " numbers for " + std::to_string(axes) + " axes of a window");
  return list;
}

std::vector<int64_t> both_sides(const std::vector<int64_t>& pads) {
  if (std::all_of(pads.begin(), pads.end(), [](int64_t p) { return p == 0; })) return {};
  std::vector<int64_t> both = pads;
  both.insert(both.end(), pads.begin(), pads.end());
  return both;
}

Result<Value*> with_batch(Translation& t, Value* x, size_t axes, bool& added) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  added = rank == static_cast<int64_t>(axes) + 1;
  return added ? frontend::unsqueeze(t, x, {0}) : Result<Value*>(x);
}

Result<Value*> without_batch(Translation& t, Result<Value*> y, bool added) {
  LAPIS_TRY(Value * value, std::move(y));
  return added ? frontend::squeeze(t, value, {0}) : Result<Value*>(value);
}

namespace {

using frontend::Formula;

// ---- convolutions ---------------------------------------------------------------------------------------------------

Result<std::vector<Value*>> contraction_operands(Args& a, std::string_view x) {
  std::vector<Value*> inputs;
  LAPIS_TRY(inputs.emplace_back(), a.tensor(x));
  LAPIS_TRY(inputs.emplace_back(), a.tensor("weight"));
  if (a.has("bias")) {
    LAPIS_TRY(inputs.emplace_back(), a.tensor("bias"));
  }
  return inputs;
}

Result<Value*> transposed_convolution(Translation& t, Args& a, const std::vector<Value*>& inputs, size_t axes) {
  ops::ConvTransposeAttrs attributes{
      .dilations = {}, .kernel_shape = {}, .output_padding = {}, .output_shape = {}, .pads = {}, .strides = {}};
  LAPIS_TRY(attributes.strides, for_axes(a.list("stride", {1}), axes));
  LAPIS_TRY(attributes.dilations, for_axes(a.list("dilation", {1}), axes));
  LAPIS_TRY(attributes.output_padding, for_axes(a.list("output_padding", {0}), axes));
  LAPIS_TRY(const std::vector<int64_t> pads, for_axes(a.list("padding", {0}), axes));
  attributes.pads = both_sides(pads);
  attributes.group = a.integer("groups", 1);
  LAPIS_CHECK(a.status());
  return t.add(ops::ConvTranspose, inputs, attributes);
}

// "same" puts the odd pixel of padding behind.
Result<Value*> plain_convolution(Translation& t, Args& a, const std::vector<Value*>& inputs, size_t axes) {
  ops::ConvAttrs attributes{.dilations = {}, .kernel_shape = {}, .pads = {}, .strides = {}};
  const std::string words = t.get<std::string>("padding", "");
  LAPIS_TRY(attributes.strides, for_axes(a.list("stride", {1}), axes));
  LAPIS_TRY(attributes.dilations, for_axes(a.list("dilation", {1}), axes));
  attributes.group = a.integer("groups", 1);
  if (words == "same") attributes.auto_pad = "SAME_UPPER";
  if (words.empty()) {
    LAPIS_TRY(const std::vector<int64_t> pads, for_axes(a.list("padding", {0}), axes));
    attributes.pads = both_sides(pads);
  }
  LAPIS_CHECK(a.status());
  return t.add(ops::Conv, inputs, attributes);
}

Status convolution_of(Translation& t, bool transposed) {
  Args a(t);
  LAPIS_TRY(std::vector<Value*> inputs, contraction_operands(a, "input"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(inputs[1]));
  if (rank < 3) return error(ErrorKind::Input, "its weight has " + std::to_string(rank) + " axes");
  const auto axes = static_cast<size_t>(rank) - 2;
  bool added = false;
  LAPIS_TRY(inputs[0], with_batch(t, inputs[0], axes, added));
  auto y = transposed ? transposed_convolution(t, a, inputs, axes) : plain_convolution(t, a, inputs, axes);
  return finish(t, without_batch(t, std::move(y), added));
}

Status convolution(Translation& t) {
  Args a(t);
  return convolution_of(t, a.flag("transposed", false));
}
Status conv(Translation& t) { return convolution_of(t, false); }
Status conv_transpose(Translation& t) { return convolution_of(t, true); }

// ---- pools ----------------------------------------------------------------------------------------------------------

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;
  bool ceil = false;
};

Result<Window> window(Args& a, size_t axes) {
  Window w;
  LAPIS_TRY(w.kernel, for_axes(a.list("kernel_size"), axes));
  const std::vector<int64_t> strides = a.list("stride");
  w.strides = w.kernel;
  if (!strides.empty()) {
    LAPIS_TRY(w.strides, for_axes(strides, axes));
  }
  LAPIS_TRY(w.dilations, for_axes(a.list("dilation", {1}), axes));
  LAPIS_TRY(const std::vector<int64_t> pads, for_axes(a.list("padding", {0}), axes));
  w.pads = both_sides(pads);
  w.ceil = a.flag("ceil_mode", false);
  LAPIS_CHECK(a.status());
  return w;
}

// How many elements the last axes have together, int64[1].
Result<Value*> plane_of(Translation& t, Value* x, size_t axes) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  const ops::ShapeAttrs last{.end = std::nullopt, .start = rank - static_cast<int64_t>(axes)};
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}, last));
  return frontend::reduce(t, ops::ReduceProd, sizes, {}, true);
}

// The largest elements, and where they lie in their plane, if somebody reads that: ONNX counts through all planes.
Status finish_with_positions(Translation& t, Value* x, size_t axes, const ops::MaxPoolAttrs& attributes, bool added) {
  const bool reads_positions = t.node().outputs.size() > 1 && !t.node().outputs[1].empty();
  if (!reads_positions) return finish(t, without_batch(t, t.add(ops::MaxPool, {x}, attributes), added));
  LAPIS_TRY(const std::vector<Value*> found, t.add_all(ops::MaxPool, {x}, encode_attributes(attributes), 2));
  LAPIS_TRY(Value * plane, plane_of(t, x, axes));
  LAPIS_TRY(Value * y, without_batch(t, found[0], added));
  LAPIS_TRY(Value * at, without_batch(t, t.add(ops::Mod, {found[1], plane}), added));
  return finish_some(t, {y, at});
}

template <size_t Axes> Status max_pool(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Window w, window(a, Axes));
  LAPIS_TRY(Value * x, self(a));
  bool added = false;
  LAPIS_TRY(x, with_batch(t, x, Axes, added));
  const ops::MaxPoolAttrs attributes{
      .ceil_mode = w.ceil, .dilations = w.dilations, .kernel_shape = w.kernel, .pads = w.pads, .strides = w.strides};
  return finish_with_positions(t, x, Axes, attributes, added);
}

template <size_t Axes> Status avg_pool(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Window w, window(a, Axes));
  const bool counts_pads = a.flag("count_include_pad", true);
  LAPIS_CHECK(a.status());
  const int64_t divisor = a.integer("divisor_override", 0);
  LAPIS_CHECK(a.status());
  if (divisor != 0 && w.ceil) return Translation::unsupported("a divisor of its own for windows beyond the padding");
  LAPIS_TRY(Value * x, self(a));
  bool added = false;
  LAPIS_TRY(x, with_batch(t, x, Axes, added));
  const ops::AveragePoolAttrs attributes{.ceil_mode = w.ceil,
                                         .count_include_pad = counts_pads || divisor != 0,
                                         .dilations = {},
                                         .kernel_shape = w.kernel,
                                         .pads = w.pads,
                                         .strides = w.strides};
  LAPIS_TRY(Value * y, without_batch(t, t.add(ops::AveragePool, {x}, attributes), added));
  if (divisor == 0) return frontend::result(t, 0, y);
  const auto elements = static_cast<double>(element_count(w.kernel));
  return finish(t, t.add(ops::Mul, {y, number_like(t, elements / static_cast<double>(divisor), y)}));
}

// As many results on an axis as divide its size: then all windows are alike. Empty where that is not so.
std::vector<int64_t> even_kernel(const Value* x, const std::vector<int64_t>& wanted) {
  std::vector<int64_t> kernel;
  const auto axes = static_cast<int64_t>(wanted.size());
  for (int64_t i = 0; i < axes && x->type().rank() >= axes; ++i) {
    const Dim& size = x->type().dim(i - axes);
    const int64_t parts = wanted[static_cast<size_t>(i)];
    if (size.is_constant() && parts > 0 && size.value() % parts == 0) kernel.push_back(size.value() / parts);
  }
  return kernel.size() == wanted.size() ? kernel : std::vector<int64_t>();
}

// Windows of one axis, each from floor(i * size / parts) to ceil((i + 1) * size / parts).
// Shorter ones have their last element again.
struct UnevenWindows {
  std::vector<int64_t> at;     // [parts, longest]
  std::vector<double> shares;  // of its window, 0 for what is there again
  int64_t parts = 0, longest = 0;
};

UnevenWindows uneven_windows(int64_t size, int64_t parts) {
  UnevenWindows w{.at = {}, .shares = {}, .parts = parts, .longest = 0};
  const auto begin = [&](int64_t i) { return i * size / parts; };
  const auto end = [&](int64_t i) { return ((i + 1) * size + parts - 1) / parts; };
  for (int64_t i = 0; i < parts; ++i) w.longest = std::max(w.longest, end(i) - begin(i));
  for (int64_t i = 0; i < parts; ++i)
    for (int64_t k = 0; k < w.longest; ++k) {
      w.at.push_back(std::min(begin(i) + k, end(i) - 1));
      w.shares.push_back(begin(i) + k < end(i) ? 1.0 / static_cast<double>(end(i) - begin(i)) : 0);
    }
  return w;
}

// The mean, or the largest, of each window of an axis.
Value* over_uneven_windows(Translation& t, Formula& f, Value* x, int64_t axis, const UnevenWindows& w, bool averages) {
  const int64_t behind = x->type().rank() - axis;
  Value* windows = f.gather(x, t.constant(Tensor::vector(w.at).reshaped({w.parts, w.longest})), axis);
  Value* within = f.integers({axis + 1});
  if (!averages) return f.op(ops::ReduceMax, {windows, within}, ops::ReduceAttrs{.keepdims = false});
  Shape shape(static_cast<size_t>(behind + 1), 1);
  shape[0] = w.parts, shape[1] = w.longest;
  Value* shares = t.constant(ops::from_doubles(x->dtype(), shape, w.shares));
  Value* counts = f.greater({shares, f.number(0, x->dtype())});
  Value* weighted = f.where({counts, f.mul({windows, shares}), f.number(0, x->dtype())});
  return f.op(ops::ReduceSum, {weighted, within}, ops::ReduceAttrs{.keepdims = false});
}

Status adaptive_by_axis(Translation& t, Value* x, const std::vector<int64_t>& wanted, bool averages) {
  constexpr int64_t kMost = 1 << 16;
  Formula f(t);
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const int64_t axis = rank - static_cast<int64_t>(wanted.size() - i);
    if (axis < 0 || !x->type().dim(axis).is_constant()) return Translation::unsupported("an axis of open size");
    const int64_t size = x->type().dim(axis).value();
    if (wanted[i] < 1 || size < 1 || wanted[i] > kMost || size > kMost)
      return Translation::unsupported("windows from " + std::to_string(size) + " to " + std::to_string(wanted[i]));
    x = over_uneven_windows(t, f, x, axis, uneven_windows(size, wanted[i]), averages);
    LAPIS_CHECK(f.status());
  }
  return frontend::result(t, 0, x);
}

Status adaptive(Translation& t, Args& a, size_t axes, bool averages) {
  LAPIS_TRY(const std::vector<int64_t> wanted, for_axes(a.list("output_size", {1}), axes));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  const bool is_global = std::all_of(wanted.begin(), wanted.end(), [](int64_t size) { return size == 1; });
  const bool reads_positions = t.node().outputs.size() > 1 && !t.node().outputs[1].empty();
  if (is_global && rank == static_cast<int64_t>(axes) + 2 && !reads_positions)
    return finish(t, t.add(averages ? ops::GlobalAveragePool : ops::GlobalMaxPool, {x}));
  const std::vector<int64_t> kernel = even_kernel(x, wanted);
  if (kernel.empty() && reads_positions)
    return Translation::unsupported("positions of the largest elements of windows that are not alike");
  if (kernel.empty()) return adaptive_by_axis(t, x, wanted, averages);
  bool added = false;
  LAPIS_TRY(x, with_batch(t, x, axes, added));
  if (!averages)
    return finish_with_positions(t, x, axes, {.dilations = {}, .kernel_shape = kernel, .pads = {}, .strides = kernel},
                                 added);
  return finish(t, without_batch(t,
                                 t.add(ops::AveragePool, {x},
                                       ops::AveragePoolAttrs{
                                           .dilations = {}, .kernel_shape = kernel, .pads = {}, .strides = kernel}),
                                 added));
}

template <size_t Axes> Status adaptive_avg_pool(Translation& t) {
  Args a(t);
  return adaptive(t, a, Axes, true);
}
template <size_t Axes> Status adaptive_max_pool(Translation& t) {
  Args a(t);
  return adaptive(t, a, Axes, false);
}

// ---- resizing -------------------------------------------------------------------------------------------------------

// The sizes of x times the factors, int64[n]: where corners are aligned they count, and ONNX would not round them.
Result<Value*> rounded_down(Translation& t, Value* x, const std::vector<double>& factors) {
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * sizes, frontend::slice(t, shape, 0, 2, INT64_MAX));
  LAPIS_TRY(sizes, frontend::cast(t, sizes, DType::Float64));
  LAPIS_TRY(Value * scaled, t.add(ops::Mul, {sizes, t.constant(Tensor::vector<double>(factors))}));
  LAPIS_TRY(Value * whole, t.add(ops::Floor, {scaled}));
  return frontend::cast(t, whole, DType::Int64);
}

// To sizes, or by factors. Where both could be meant PyTorch takes the factors, without rounding sizes first.
Result<Value*> resized(Translation& t, Args& a, ops::ResizeAttrs attributes) {
  LAPIS_TRY(Value * x, a.tensor(a.has("input") ? "input" : "self"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  attributes.axes.clear();
  for (int64_t axis = 2; axis < rank; ++axis) attributes.axes.push_back(axis);
  if (a.has("scale_factors")) {
    const std::vector<double> factors = a.reals("scale_factors");
    LAPIS_CHECK(a.status());
    if (attributes.coordinate_transformation_mode == "align_corners") {
      LAPIS_TRY(Value * sizes, rounded_down(t, x, factors));
      return t.add(ops::Resize, {x, nullptr, nullptr, sizes}, attributes);
    }
    Value* scales = t.constant(Tensor::vector<float>(std::vector<float>(factors.begin(), factors.end())));
    return t.add(ops::Resize, {x, nullptr, scales}, attributes);
  }
  LAPIS_TRY(const std::vector<Size> sizes, a.sizes(a.has("output_size") ? "output_size" : "size"));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * wanted, shape_of(t, sizes));
  return t.add(ops::Resize, {x, nullptr, nullptr, wanted}, attributes);
}

Status nearest(Translation& t) {
  Args a(t);
  return finish(
      t, resized(
             t, a,
             {.axes = {}, .coordinate_transformation_mode = "asymmetric", .mode = "nearest", .nearest_mode = "floor"}));
}
Status nearest_exact(Translation& t) {
  Args a(t);
  return finish(t, resized(t, a,
                           {.axes = {},
                            .coordinate_transformation_mode = "half_pixel",
                            .mode = "nearest",
                            .nearest_mode = "round_prefer_ceil"}));
}

Status interpolated(Translation& t, const char* mode) {
  Args a(t);
  const bool align = a.flag("align_corners", false);
  return finish(t, resized(t, a,
                           {.axes = {},
                            .coordinate_transformation_mode = align ? "align_corners" : "pytorch_half_pixel",
                            .mode = mode}));
}
Status linear(Translation& t) { return interpolated(t, "linear"); }
Status cubic(Translation& t) { return interpolated(t, "cubic"); }

constexpr AtenRow kRows[] = {
    {"aten._adaptive_avg_pool2d", "self output_size", adaptive_avg_pool<2>},
    {"aten._adaptive_avg_pool3d", "self output_size", adaptive_avg_pool<3>},
    {"aten._convolution",
     "input weight bias stride padding dilation transposed output_padding groups benchmark deterministic cudnn_enabled "
     "allow_tf32",
     convolution},
    {"aten._convolution_mode", "input weight bias stride padding dilation groups", conv},
    {"aten._upsample_nearest_exact1d", "input output_size scale_factors", nearest_exact},
    {"aten._upsample_nearest_exact2d", "input output_size scale_factors", nearest_exact},
    {"aten._upsample_nearest_exact3d", "input output_size scale_factors", nearest_exact},
    {"aten.adaptive_avg_pool1d", "self output_size", adaptive_avg_pool<1>},
    {"aten.adaptive_avg_pool2d", "self output_size", adaptive_avg_pool<2>},
    {"aten.adaptive_avg_pool3d", "self output_size", adaptive_avg_pool<3>},
    {"aten.adaptive_max_pool1d", "self output_size", adaptive_max_pool<1>},
    {"aten.adaptive_max_pool2d", "self output_size", adaptive_max_pool<2>},
    {"aten.adaptive_max_pool3d", "self output_size", adaptive_max_pool<3>},
    {"aten.avg_pool1d", "self kernel_size stride padding ceil_mode count_include_pad", avg_pool<1>},
    {"aten.avg_pool2d", "self kernel_size stride padding ceil_mode count_include_pad divisor_override", avg_pool<2>},
    {"aten.avg_pool3d", "self kernel_size stride padding ceil_mode count_include_pad divisor_override", avg_pool<3>},
    {"aten.conv1d", "input weight bias stride padding dilation groups", conv},
    {"aten.conv2d", "input weight bias stride padding dilation groups", conv},
    {"aten.conv3d", "input weight bias stride padding dilation groups", conv},
    {"aten.conv_transpose1d", "input weight bias stride padding output_padding groups dilation", conv_transpose},
    {"aten.conv_transpose2d", "input weight bias stride padding output_padding groups dilation", conv_transpose},
    {"aten.conv_transpose3d", "input weight bias stride padding output_padding groups dilation", conv_transpose},
    {"aten.convolution", "input weight bias stride padding dilation transposed output_padding groups", convolution},
    {"aten.max_pool1d", "self kernel_size stride padding dilation ceil_mode", max_pool<1>},
    {"aten.max_pool1d_with_indices", "self kernel_size stride padding dilation ceil_mode", max_pool<1>},
    {"aten.max_pool2d", "self kernel_size stride padding dilation ceil_mode", max_pool<2>},
    {"aten.max_pool2d_with_indices", "self kernel_size stride padding dilation ceil_mode", max_pool<2>},
    {"aten.max_pool3d", "self kernel_size stride padding dilation ceil_mode", max_pool<3>},
    {"aten.max_pool3d_with_indices", "self kernel_size stride padding dilation ceil_mode", max_pool<3>},
    {"aten.upsample_bicubic2d", "input output_size align_corners scale_factors", cubic},
    {"aten.upsample_bilinear2d", "input output_size align_corners scale_factors", linear},
    {"aten.upsample_linear1d", "input output_size align_corners scale_factors", linear},
    {"aten.upsample_nearest1d", "input output_size scale_factors", nearest},
    {"aten.upsample_nearest2d", "input output_size scale_factors", nearest},
    {"aten.upsample_nearest3d", "input output_size scale_factors", nearest},
    {"aten.upsample_trilinear3d", "input output_size align_corners scale_factors", linear},
};

}  // namespace

std::span<const AtenRow> window_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
