// Convolutions, pools and resizing: windows over pixels, channels first.
#include <algorithm>

#include "frontends/mxnet/translators.h"
#include "ir/ops/attributes.h"

namespace lapis::mxnet_frontend {
namespace {

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;  // pads of one side: MXNet pads both alike
  std::vector<int64_t> both_pads() const {
    if (std::all_of(pads.begin(), pads.end(), [](int64_t p) { return p == 0; })) return {};
    std::vector<int64_t> both = pads;
    both.insert(both.end(), pads.begin(), pads.end());
    return both;
  }
};

// Lists that are left out are ones, pads zeros.
Result<Window> window(Options& o) {
  Window w{o.list("kernel"), o.list("stride"), o.list("dilate"), o.list("pad")};
  const size_t rank = w.kernel.size();
  if (w.strides.empty()) w.strides.assign(rank, 1);
  if (w.dilations.empty()) w.dilations.assign(rank, 1);
  if (w.pads.empty()) w.pads.assign(rank, 0);
  constexpr int64_t kMost = INT32_MAX;
  for (const auto* list : {&w.kernel, &w.strides, &w.dilations, &w.pads}) {
    if (list->size() != rank || rank == 0)
      return error(ErrorKind::Input, "its kernel, stride, dilate and pad are not of one length");
    for (const int64_t v : *list)
      if (v < (list == &w.pads ? 0 : 1) || v > kMost)
        return error(ErrorKind::Input, "has a kernel, stride or pad of " + std::to_string(v));
  }
  return w;
}

Status check_layout(Options& o) {
  const std::string layout = o.word("layout", "NCHW");
  if (layout == "NCHW" || layout == "NCW" || layout == "NCDHW" || layout == "None") return ok();
  return Translation::unsupported("the layout " + layout);
}

// The data, the weights and the bias if there is one.
Result<std::vector<Value*>> contraction_operands(Translation& t, bool no_bias) {
  std::vector<Value*> inputs;
  for (size_t i = 0; i < (no_bias ? 2u : 3u); ++i) {
    if (!t.has(i)) return error(ErrorKind::Input, "has no operand " + std::to_string(i));
    LAPIS_TRY(inputs.emplace_back(), operand(t, i));
  }
  return inputs;
}

// ---- pools ----------------------------------------------------------------------------------------------------------

struct Pool {
  Window w;
  std::string type;
  bool full = false, count_pads = true;
};

Result<Value*> global_pool(Translation& t, Value* x, const std::string& type) {
  if (type == "max") return t.add(ops::GlobalMaxPool, {x});
  if (type == "avg") return t.add(ops::GlobalAveragePool, {x});
  if (type != "sum") return Translation::unsupported("the pool type " + type);
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  Axes axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return frontend::reduce(t, ops::ReduceSum, x, axes, true);
}

Result<Value*> average(Translation& t, Value* x, const Pool& p) {
  const ops::AveragePoolAttrs attributes{.ceil_mode = p.full,
                                         .count_include_pad = p.count_pads,
                                         .dilations = {},
                                         .kernel_shape = p.w.kernel,
                                         .pads = p.w.both_pads(),
                                         .strides = p.w.strides};
  return t.add(ops::AveragePool, {x}, attributes);
}

Result<Value*> windowed_pool(Translation& t, Value* x, const Pool& p) {
  if (p.type == "avg") return average(t, x, p);
  if (p.type == "max")
    return t.add(ops::MaxPool, {x},
                 ops::MaxPoolAttrs{.ceil_mode = p.full,
                                   .dilations = {},
                                   .kernel_shape = p.w.kernel,
                                   .pads = p.w.both_pads(),
                                   .strides = p.w.strides});
  if (p.type != "sum" || p.full) return Translation::unsupported("the pool type " + p.type);
  LAPIS_TRY(Value * y, average(t, x, {p.w, p.type, false, true}));
  return t.add(ops::Mul, {y, frontend::scalar(t, static_cast<double>(element_count(p.w.kernel)), y->dtype())});
}

// "full" rounds the number of windows up. A window that lies in the padding altogether is one that ONNX does not have.
Status check_convention(const std::string& convention, const Window& w) {
  if (convention == "valid") return ok();
  if (convention != "full") return Translation::unsupported("the pooling convention " + convention);
  for (size_t i = 0; i < w.kernel.size(); ++i)
    if (w.pads[i] + w.strides[i] > w.kernel[i])
      return Translation::unsupported("the pooling convention full with windows that may lie in the padding");
  return ok();
}

// ---- resizing -------------------------------------------------------------------------------------------------------

Result<Value*> resized(Translation& t, Value* x, Value* scales, Value* sizes, const ops::ResizeAttrs& attributes) {
  std::vector<Value*> inputs = {x, nullptr, scales};
  if (sizes) inputs.push_back(sizes);
  return t.add(ops::Resize, inputs, attributes);
}

}  // namespace

Result<Value*> convolved(Translation& t, const std::vector<Value*>& inputs) {
  Options o(t);
  LAPIS_TRY(const Window w, window(o));
  LAPIS_CHECK(check_layout(o));
  const int64_t groups = o.integer("num_group", 1);
  LAPIS_CHECK(o.status());
  return t.add(ops::Conv, inputs, ops::ConvAttrs{"NOTSET", w.dilations, groups, w.kernel, w.both_pads(), w.strides});
}

Status convolution(Translation& t) {
  Options o(t);
  const bool no_bias = o.flag("no_bias", false);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(const std::vector<Value*> inputs, contraction_operands(t, no_bias));
  return finish(t, convolved(t, inputs));
}

Status deconvolution(Translation& t) {
  Options o(t);
  LAPIS_TRY(const Window w, window(o));
  LAPIS_CHECK(check_layout(o));
  const bool no_bias = o.flag("no_bias", true);
  const int64_t groups = o.integer("num_group", 1);
  const std::vector<int64_t> more = o.list("adj"), target = o.list("target_shape");
  LAPIS_CHECK(o.status());
  if (std::any_of(target.begin(), target.end(), [](int64_t size) { return size != 0; }))
    return Translation::unsupported("a target shape");
  LAPIS_TRY(const std::vector<Value*> inputs, contraction_operands(t, no_bias));
  return finish(t, t.add(ops::ConvTranspose, inputs,
                         ops::ConvTransposeAttrs{.dilations = w.dilations,
                                                 .group = groups,
                                                 .kernel_shape = w.kernel,
                                                 .output_padding = more,
                                                 .output_shape = {},
                                                 .pads = w.both_pads(),
                                                 .strides = w.strides}));
}

Result<Value*> pooled(Translation& t, Value* x) {
  Options o(t);
  const std::string type = o.word("pool_type", "max"), convention = o.word("pooling_convention", "valid");
  const bool is_global = o.flag("global_pool", false), count_pads = o.flag("count_include_pad", true);
  LAPIS_CHECK(check_layout(o));
  LAPIS_CHECK(o.status());
  if (is_global) return global_pool(t, x, type);
  LAPIS_TRY(Window w, window(o));
  LAPIS_CHECK(o.status());
  LAPIS_CHECK(check_convention(convention, w));
  return windowed_pool(t, x, {std::move(w), type, convention == "full", count_pads});
}

Status pooling(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, pooled(t, x));
}

// A result of 1 pixel, or one that the size is a multiple of: the windows are alike then.
Status adaptive_average_pool(Translation& t) {
  Options o(t);
  std::vector<int64_t> wanted = o.list("output_size", {1});
  LAPIS_CHECK(o.status());
  if (wanted.size() == 1) wanted.push_back(wanted[0]);
  LAPIS_TRY(Value * x, operand(t));
  if (wanted == std::vector<int64_t>{1, 1}) return finish(t, t.add(ops::GlobalAveragePool, {x}));
  Window w;
  for (size_t i = 0; i < wanted.size() && x->type().ranked() && x->type().rank() == 4; ++i) {
    const Dim& size = x->type().dim(static_cast<int64_t>(i) + 2);
    if (size.is_constant() && wanted[i] > 0 && size.value() % wanted[i] == 0)
      w.kernel.push_back(size.value() / wanted[i]);
  }
  if (w.kernel.size() != 2) return Translation::unsupported("an output size that the image is no multiple of");
  w.strides = w.kernel;
  return finish(t, average(t, x, {w, "avg", false, false}));
}

Status up_sampling(Translation& t) {
  Options o(t);
  const auto scale = static_cast<float>(o.number("scale", 1));
  const std::string type = o.word("sample_type", "nearest");
  LAPIS_CHECK(o.status());
  if (type != "nearest" || t.node().inputs.size() != 1)
    return Translation::unsupported("the sample type " + type + " or several operands");
  LAPIS_TRY(Value * x, operand(t));
  Value* scales = t.constant(Tensor::vector<float>({1, 1, scale, scale}));
  const ops::ResizeAttrs attributes{
      .axes = {}, .coordinate_transformation_mode = "asymmetric", .mode = "nearest", .nearest_mode = "floor"};
  return finish(t, resized(t, x, scales, nullptr, attributes));
}

Status bilinear_resize(Translation& t) {
  Options o(t);
  const int64_t height = o.integer("height", 1), width = o.integer("width", 1);
  const std::string mode = o.word("mode", "size");
  const bool align = o.flag("align_corners", true);
  LAPIS_CHECK(o.status());
  if (mode != "size" || o.has("scale_height") || o.has("scale_width") || height < 1 || width < 1)
    return Translation::unsupported("another mode than sizes that are given");
  LAPIS_TRY(Value * x, operand(t));
  const ops::ResizeAttrs attributes{
      .axes = {2, 3}, .coordinate_transformation_mode = align ? "align_corners" : "half_pixel", .mode = "linear"};
  return finish(t, resized(t, x, nullptr, frontend::ints(t, {height, width}), attributes));
}

}  // namespace lapis::mxnet_frontend
