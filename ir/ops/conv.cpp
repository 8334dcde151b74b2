// The convolutions: Conv, ConvInteger, QLinearConv and ConvTranspose. All are a product of the weight with columns of
// window elements.
#include <algorithm>

#include "ir/ops/attributes.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"
#include "ir/ops/product.h"
#include "ir/ops/window.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kBytes = types(DType::Int8, DType::UInt8);

std::span<const int64_t> spatial(const Shape& shape) { return std::span(shape).subspan(2); }

// The kernel's extents: the attribute, or what the weight says; nullopt if neither does.
std::optional<std::vector<int64_t>> kernel_of(const std::vector<int64_t>& attribute, const Type& weight) {
  if (!attribute.empty()) return attribute;
  std::vector<int64_t> kernel;
  for (int64_t axis = 2; axis < weight.rank(); ++axis) {
    if (!weight.dim(axis).is_constant()) return std::nullopt;
    kernel.push_back(weight.dim(axis).value());
  }
  return kernel;
}

Status check_kernel(const InferContext& c, const std::vector<int64_t>& kernel, const Type& weight) {
  for (size_t i = 0; i < kernel.size() && i + 2 < weight.dims->size(); ++i) {
    const Dim& dim = weight.dim(static_cast<int64_t>(i) + 2);
    if (dim.is_constant() && !dim.is(kernel[i]))
      return c.error("kernel_shape " + to_string(kernel) + " does not match the weight " + weight.to_string());
  }
  return ok();
}

Status check_ranks(const InferContext& c, const Type& x, const Type& w) {
  if (x.rank() < 3) return c.error("x needs a batch, a channel and at least one spatial axis, it is " + x.to_string());
  if (x.rank() != w.rank())
    return c.error("weight " + w.to_string() + " and x " + x.to_string() + " need the same rank");
  return ok();
}

Status check_group(const InferContext& c, int64_t group, const Dim& channels, std::string_view what) {
  if (group < 1) return c.error("group is " + std::to_string(group) + ", at least 1 is needed");
  if (channels.is_constant() && channels.value() % group != 0)
    return c.error(std::to_string(channels.value()) + " " + std::string(what) + " channels cannot be split into " +
                   std::to_string(group) + " groups");
  return ok();
}

Status check_per_channel(const InferContext& c, size_t input, const Dim& channels, bool one_is_enough) {
  if (!c.has(input) || !c.in(input).ranked()) return ok();
  const Type& t = c.in(input);
  if (one_is_enough && (t.rank() == 0 || (t.rank() == 1 && t.dim(0).is(1)))) return ok();
  const bool fits = t.rank() == 1 && !differ(t.dim(0), channels);
  if (fits) return ok();
  return c.error("input '" + std::string(c.node().op().input(input).name) + "' is " + t.to_string() +
                 ", one value for each of " + channels.to_string() + " output channels is needed");
}

// ---- Conv, ConvInteger, QLinearConv -------------------------------------------------------------------------------

struct Operands {
  size_t x, w;
};
constexpr Operands kConv{0, 1}, kQLinearConv{0, 3};

Result<Type> infer_conv(const InferContext& c, Operands at, DType dtype) {
  const Type &x = c.in(at.x), &w = c.in(at.w);
  if (!x.ranked() || !w.ranked()) return Type::tensor(dtype);
  const ConvAttrs a = c.attrs<ConvAttrs>();
  LAPIS_CHECK(check_ranks(c, x, w));
  LAPIS_CHECK(check_group(c, a.group, w.dim(0), "output"));
  const Dim wanted = w.dim(1) * Dim(a.group);
  if (differ(x.dim(1), wanted))
    return c.error("weight wants " + wanted.to_string() + " input channels but x has " + x.dim(1).to_string());
  Dims dims(static_cast<size_t>(x.rank()));
  dims[0] = x.dim(0);
  dims[1] = w.dim(0);
  const auto kernel = kernel_of(a.kernel_shape, w);
  if (!kernel) return Type::tensor(dtype, dims);
  LAPIS_CHECK(check_kernel(c, *kernel, w));
  LAPIS_TRY(const Window window,
            make_window(c, {a.auto_pad, *kernel, a.strides, a.dilations, a.pads}, dims.size() - 2));
  LAPIS_TRY(const Dims out, positions(c, window, x));
  std::copy(out.begin(), out.end(), dims.begin() + 2);
  return Type::tensor(dtype, dims);
}

Result<Types> infer_float(const InferContext& c) {
  LAPIS_TRY(Type y, infer_conv(c, kConv, c.in(0).dtype));
  if (c.in(1).ranked()) LAPIS_CHECK(check_per_channel(c, 2, c.in(1).dim(0), false));
  return Types{y};
}

Result<Types> infer_integer(const InferContext& c) {
  LAPIS_TRY(Type y, infer_conv(c, kConv, DType::Int32));
  if (c.in(1).ranked()) LAPIS_CHECK(check_per_channel(c, 3, c.in(1).dim(0), true));
  return Types{y};
}

Result<Types> infer_qlinear(const InferContext& c) {
  LAPIS_TRY(Type y, infer_conv(c, kQLinearConv, c.in(7).dtype));
  if (!c.in(3).ranked()) return Types{y};
  LAPIS_CHECK(check_per_channel(c, 4, c.in(3).dim(0), true));
  LAPIS_CHECK(check_per_channel(c, 5, c.in(3).dim(0), true));
  LAPIS_CHECK(check_per_channel(c, 8, c.in(3).dim(0), false));
  return Types{y};
}

// Everything about one convolution that the loops need.
struct Geometry {
  Geometry(const ConvAttrs& a, const Shape& x, const Shape& w)
      : batch(x[0]),
        groups(a.group),
        in_channels(w[1]),
        out_channels(w[0] / a.group),
        window(conv_window(a, w).on(spatial(x))),
        y_shape{x[0], w[0]},
        in_size(element_count(spatial(x))),
        taps(window.taps()) {
    const Shape out = window.output_shape(spatial(x));
    y_shape.insert(y_shape.end(), out.begin(), out.end());
    out_size = element_count(out);
    offsets = window_offsets(window, spatial(x), out);
  }
  int64_t batch, groups, in_channels, out_channels;  // channels of one group
  Window window;
  Shape y_shape;
  int64_t in_size, taps, out_size = 0;
  std::vector<int64_t> offsets;
};

// Rows (channel, tap), columns output positions [first, first + count): the window elements, zero in the padding.
template <class T>
void gather_columns(const Geometry& g, const T* x, int64_t first, int64_t count, std::vector<T>& columns) {
  T* out = columns.data();
  for (int64_t channel = 0; channel < g.in_channels; ++channel, x += g.in_size)
    for (int64_t tap = 0; tap < g.taps; ++tap)
      for (int64_t p = first; p < first + count; ++p) {
        const int64_t offset = g.offsets[static_cast<size_t>(tap * g.out_size + p)];
        *out++ = offset < 0 ? T(0) : x[offset];
      }
}

// Sums over the window in `sums`, which holds [batch, output channel, position] and is added to.
template <class T>
void convolve(const Geometry& g, const std::vector<T>& x, const std::vector<T>& w, std::vector<Accumulator<T>>& sums) {
  constexpr int64_t kTile = 128;  // positions at a time: their columns stay in the cache for all output channels
  const int64_t depth = g.in_channels * g.taps;
  std::vector<T> columns(static_cast<size_t>(depth * std::min(kTile, std::max<int64_t>(g.out_size, 1))));
  for (int64_t image = 0; image < g.batch * g.groups; ++image) {
    const auto weight = std::span(w).subspan(static_cast<size_t>(image % g.groups * g.out_channels * depth));
    for (int64_t first = 0; first < g.out_size; first += kTile) {
      const int64_t count = std::min(kTile, g.out_size - first);
      gather_columns(g, x.data() + image * g.in_channels * g.in_size, first, count, columns);
      accumulate_product<T>(g.out_channels, count, depth, weight, columns, count,
                            std::span(sums).subspan(static_cast<size_t>(image * g.out_channels * g.out_size + first)),
                            g.out_size);
    }
  }
}

// Each output channel of each image starts from its bias.
template <class Sum> void fill_bias(std::vector<Sum>& sums, const std::vector<Sum>& bias, int64_t positions) {
  if (bias.empty()) return;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = bias[i / static_cast<size_t>(positions) % bias.size()];
}

Status evaluate_float(EvalContext& c) {
  const Geometry g(c.attrs<ConvAttrs>(), c.in(0).shape(), c.in(1).shape());
  std::vector<double> sums(static_cast<size_t>(element_count(g.y_shape)), 0.0);
  fill_bias(sums, c.has(2) ? to_doubles(c.in(2)) : std::vector<double>(), g.out_size);
  visit_operand(c.in(0).dtype(), [&](auto tag) {
    using T = decltype(tag);
    if constexpr (!std::is_integral_v<T>) convolve<T>(g, operand<T>(c.in(0)), operand<T>(c.in(1)), sums);
  });
  c.set_out(0, from_doubles(c.in(0).dtype(), g.y_shape, sums));
  return ok();
}

// 8-bit values minus the zero point of their channel: what an integer convolution multiplies. A padded element is
// then 0.
std::vector<int16_t> centered(const Tensor& tensor, const Tensor* zero_point, int64_t channels) {
  std::vector<int16_t> values = operand<int16_t>(tensor);
  const size_t per_channel = values.size() / static_cast<size_t>(std::max<int64_t>(channels, 1));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int16_t>(
        values[i] - zero_point_of(zero_point, per_channel ? static_cast<int64_t>(i / per_channel) : 0));
  return values;
}

const Tensor* if_given(const EvalContext& c, size_t i) { return c.has(i) ? &c.in(i) : nullptr; }

std::vector<uint32_t> integer_sums(const Geometry& g, const Tensor& x, const Tensor* x_zero, const Tensor& w,
                                   const Tensor* w_zero, const Tensor* bias) {
  std::vector<uint32_t> sums(static_cast<size_t>(element_count(g.y_shape)), 0);
  if (bias) fill_bias(sums, operand<uint32_t>(*bias), g.out_size);
  convolve<int16_t>(g, centered(x, x_zero, 1), centered(w, w_zero, w.dim(0)), sums);
  return sums;
}

Status evaluate_integer(EvalContext& c) {
  const Geometry g(c.attrs<ConvAttrs>(), c.in(0).shape(), c.in(1).shape());
  c.set_out(0, result_tensor(DType::Int32, g.y_shape,
                             integer_sums(g, c.in(0), if_given(c, 2), c.in(1), if_given(c, 3), nullptr)));
  return ok();
}

Status evaluate_qlinear(EvalContext& c) {
  const Geometry g(c.attrs<ConvAttrs>(), c.in(0).shape(), c.in(3).shape());
  const std::vector<uint32_t> sums = integer_sums(g, c.in(0), &c.in(2), c.in(3), &c.in(5), if_given(c, 8));
  const IntegerRange range = integer_range(c.in(7).dtype());
  const int64_t zero_point = c.in(7).as_int(0);
  std::vector<int64_t> y(sums.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t channel = static_cast<int64_t>(i) / g.out_size % g.y_shape[1];
    const float m = requantize_multiplier(scale_of(c.in(1), 0), scale_of(c.in(4), channel), scale_of(c.in(6), 0));
    y[i] = requantize(static_cast<int32_t>(sums[i]), m, zero_point, range);
  }
  c.set_out(0, from_integers(c.in(7).dtype(), g.y_shape, y));
  return ok();
}

// ---- ConvTranspose ------------------------------------------------------------------------------------------------

// The window that the *output* slides under; its "output positions" are the elements of x.
struct Transposed {
  Window window;
  Dims output;
};

int64_t at_or(const std::vector<int64_t>& list, size_t i, int64_t fallback) {
  return i < list.size() ? list[i] : fallback;
}

Transposed transposed_geometry(const ConvTransposeAttrs& a, const std::vector<int64_t>& kernel, const Dims& in) {
  Transposed t{window_of({a.auto_pad, kernel, a.strides, a.dilations, a.pads}, kernel.size()), {}};
  Window& w = t.window;
  for (size_t i = 0; i < w.rank(); ++i) {
    const Dim full = (in[i] - Dim(1)) * Dim(w.strides[i]) + Dim(at_or(a.output_padding, i, 0) + w.reach(i));
    const bool derived = w.same_padding() || !a.output_shape.empty();
    // output_shape may list batch and channels too: the spatial extents are its last entries.
    const size_t skip = a.output_shape.size() > w.rank() ? a.output_shape.size() - w.rank() : 0;
    t.output.push_back(!a.output_shape.empty() ? Dim(a.output_shape[skip + i])
                       : w.same_padding()      ? in[i] * Dim(w.strides[i])
                                               : full - Dim(w.begins[i] + w.ends[i]));
    const Dim surplus = full - t.output[i];
    if (!derived || !surplus.is_constant()) continue;
    const int64_t total = std::max<int64_t>(0, surplus.value());  // an output that is larger than needed ends in zeros
    w.begins[i] = a.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.ends[i] = total - w.begins[i];
  }
  return t;
}

Result<Types> infer_transpose(const InferContext& c) {
  const Type &x = c.in(0), &w = c.in(1);
  if (!x.ranked() || !w.ranked()) return Types{Type::tensor(x.dtype)};
  const ConvTransposeAttrs a = c.attrs<ConvTransposeAttrs>();
  LAPIS_CHECK(check_ranks(c, x, w));
  LAPIS_CHECK(check_group(c, a.group, x.dim(1), "input"));
  if (differ(x.dim(1), w.dim(0)))
    return c.error("weight wants " + w.dim(0).to_string() + " input channels but x has " + x.dim(1).to_string());
  LAPIS_CHECK(check_per_channel(c, 2, w.dim(1) * Dim(a.group), false));
  Dims dims(static_cast<size_t>(x.rank()));
  dims[0] = x.dim(0);
  dims[1] = w.dim(1) * Dim(a.group);
  const auto kernel = kernel_of(a.kernel_shape, w);
  if (!kernel) return Types{Type::tensor(x.dtype, dims)};
  LAPIS_CHECK(check_kernel(c, *kernel, w));
  LAPIS_CHECK(
      status_of(make_window(c, {a.auto_pad, *kernel, a.strides, a.dilations, a.pads}, dims.size() - 2).diagnostics()));
  const auto padded_beyond = [](int64_t p) { return p < 0 || p > INT32_MAX; };
  if (std::any_of(a.output_padding.begin(), a.output_padding.end(), padded_beyond))
    return c.error("output_padding " + to_string(a.output_padding) + " holds a value outside of 0 to " +
                   std::to_string(INT32_MAX));
  if (!a.output_shape.empty() && a.output_shape.size() < kernel->size())
    return c.error("output_shape " + to_string(a.output_shape) + " does not cover every spatial axis");
  const Dims out = transposed_geometry(a, *kernel, Dims(x.dims->begin() + 2, x.dims->end())).output;
  std::copy(out.begin(), out.end(), dims.begin() + 2);
  return Types{Type::tensor(x.dtype, dims)};
}

// columns[(channel, tap), position of x] += what each input element adds under each tap; then they are summed where
// they fall.
Status evaluate_transpose(EvalContext& c) {
  const Shape &x = c.in(0).shape(), &w = c.in(1).shape();
  const ConvTransposeAttrs a = c.attrs<ConvTransposeAttrs>();
  const Transposed t = transposed_geometry(a, {w.begin() + 2, w.end()}, Dims(x.begin() + 2, x.end()));
  Shape y_shape{x[0], w[1] * a.group};
  for (const Dim& d : t.output) y_shape.push_back(d.value());
  const std::vector<int64_t> offsets = window_offsets(t.window, spatial(y_shape), spatial(x));
  const int64_t in = x[1] / a.group, rows = w[1] * t.window.taps(), positions = element_count(spatial(x)),
                out_size = element_count(spatial(y_shape));
  std::vector<double> sums(static_cast<size_t>(element_count(y_shape)), 0.0);
  fill_bias(sums, c.has(2) ? to_doubles(c.in(2)) : std::vector<double>(), out_size);
  const std::vector<double> values = to_doubles(c.in(0)), weight = to_doubles(c.in(1));
  std::vector<double> turned(static_cast<size_t>(rows * in));
  for (int64_t image = 0; image < x[0] * a.group; ++image) {
    const double* group_weight = weight.data() + image % a.group * in * rows;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < in; ++i) turned[static_cast<size_t>(r * in + i)] = group_weight[i * rows + r];
    std::vector<double> columns(static_cast<size_t>(rows * positions), 0.0);
    accumulate_product<double>(rows, positions, in, turned,
                               std::span(values).subspan(static_cast<size_t>(image * in * positions)), positions,
                               columns, positions);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t p = 0; p < positions; ++p) {
        const int64_t offset = offsets[static_cast<size_t>(r % t.window.taps() * positions + p)];
        if (offset >= 0)
          sums[static_cast<size_t>((image * w[1] + r / t.window.taps()) * out_size + offset)] +=
              columns[static_cast<size_t>(r * positions + p)];
      }
  }
  c.set_out(0, from_doubles(c.in(0).dtype(), y_shape, sums));
  return ok();
}

}  // namespace

std::optional<Window> transposed_window(const Node& node) {
  const Type& x = node.input(0)->type();
  const auto a = node.attrs<ConvTransposeAttrs>();
  const Shape weight = node.input(1)->type().shape();
  const Dims in(x.dims->begin() + 2, x.dims->end());
  Window window = transposed_geometry(a, {weight.begin() + 2, weight.end()}, in).window;
  const bool is_derived = window.same_padding() || !a.output_shape.empty();
  if (is_derived && !std::ranges::all_of(in, &Dim::is_constant)) return std::nullopt;
  return window;
}

const OpDef Conv = op("Conv")
                       .since(22)
                       .doc("Convolution over the spatial axes, with groups, dilations and an optional bias.")
                       .in("X", kFloats, "T")
                       .in("W", kFloats, "T")
                       .optional_in("B", kFloats, "T")
                       .out("Y", kFloats)
                       .attrs<ConvAttrs>()
                       .infer(infer_float)
                       .evaluate(evaluate_float)
                       .traits(Trait::Pure | Trait::Contraction)
                       .quant(Quant::Contraction);

const OpDef ConvInteger = op("ConvInteger")
                              .since(10)
                              .doc("Convolution of 8-bit integers minus their zero points, summed in int32.")
                              .in("x", kBytes, "T1")
                              .in("w", kBytes, "T2")
                              .optional_in("x_zero_point", kBytes, "T1")
                              .optional_in("w_zero_point", kBytes, "T2")
                              .out("y", types(DType::Int32))
                              .attrs<ConvAttrs>()
                              .infer(infer_integer)
                              .evaluate(evaluate_integer)
                              .traits(Trait::Pure | Trait::Contraction);

const OpDef ConvTranspose = op("ConvTranspose")
                                .since(22)
                                .doc("Transposed convolution: every input element adds a scaled kernel to the output.")
                                .in("X", kFloats, "T")
                                .in("W", kFloats, "T")
                                .optional_in("B", kFloats, "T")
                                .out("Y", kFloats)
                                .attrs<ConvTransposeAttrs>()
                                .infer(infer_transpose)
                                .evaluate(evaluate_transpose)
                                .traits(Trait::Pure | Trait::Contraction);

const OpDef QLinearConv = op("QLinearConv")
                              .since(10)
                              .doc("Convolution of quantized values, requantized to the output's scale.")
                              .in("x", kBytes, "T1")
                              .in("x_scale", types(DType::Float32))
                              .in("x_zero_point", kBytes, "T1")
                              .in("w", kBytes, "T2")
                              .in("w_scale", types(DType::Float32))
                              .in("w_zero_point", kBytes, "T2")
                              .in("y_scale", types(DType::Float32))
                              .in("y_zero_point", kBytes)
                              .optional_in("B", types(DType::Int32))
                              .out("y", kBytes)
                              .attrs<ConvAttrs>()
                              .infer(infer_qlinear)
                              .evaluate(evaluate_qlinear)
                              .traits(Trait::Pure | Trait::Contraction);

}  // namespace lapis::ops
