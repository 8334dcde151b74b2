// Resize: separable, so each axis is a small table of which input elements a coordinate mixes, applied axis by axis.
#include <algorithm>
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/movement.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- sizes --------------------------------------------------------------------------------------------------------

// The axes that roi, scales and sizes speak of, in their order.
Result<std::vector<int64_t>> resized_axes(const InferContext& c, const ResizeAttrs& a, int64_t rank) {
  return checked_axes(c, a.axes.empty() ? arithmetic_sequence(0, 1, rank) : a.axes, rank);
}

std::vector<int64_t> resized_axes(const ResizeAttrs& a, int64_t rank) {
  std::vector<int64_t> axes;
  for (int64_t axis : a.axes) axes.push_back(normalized(axis, rank));
  for (int64_t axis = 0; a.axes.empty() && axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

// floor(extent * scale), symbolic where the scale or its inverse is a whole number.
Dim scaled(const Dim& extent, double scale) {
  if (extent.is_constant()) return extent_of(std::floor(static_cast<double>(extent.value()) * scale));
  if (scale == std::floor(scale)) return extent * extent_of(scale);
  const double inverse = 1 / scale;
  return inverse == std::floor(inverse) ? floor_div(extent, extent_of(inverse)) : Dim::unknown();
}

// One scale for all axes that keeps the aspect ratio.
double common_scale(const std::vector<double>& scales, const std::string& policy) {
  return policy == "not_larger" ? *std::min_element(scales.begin(), scales.end())
                                : *std::max_element(scales.begin(), scales.end());
}

Dim rounded_half_up(double value) { return extent_of(std::floor(value + 0.5)); }

void apply_scales(Dims& dims, const std::vector<int64_t>& axes, const Tensor& scales) {
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = dims[static_cast<size_t>(axes[i])];
    dim = scaled(dim, scales.as_double(static_cast<int64_t>(i)));
  }
}

void apply_sizes(Dims& dims, const std::vector<int64_t>& axes, const Dims& sizes, const std::string& policy) {
  if (policy == "stretch") {
    for (size_t i = 0; i < axes.size(); ++i) dims[static_cast<size_t>(axes[i])] = sizes[i];
    return;
  }
  std::vector<double> scales;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim& dim = dims[static_cast<size_t>(axes[i])];
    if (dim.is_constant() && sizes[i].is_constant())
      scales.push_back(static_cast<double>(sizes[i].value()) / static_cast<double>(dim.value()));
  }
  for (int64_t axis : axes) {
    Dim& dim = dims[static_cast<size_t>(axis)];
    const bool known = scales.size() == axes.size();
    dim = known ? rounded_half_up(common_scale(scales, policy) * static_cast<double>(dim.value())) : Dim::unknown();
  }
}

Status check_attributes(const InferContext& c, const ResizeAttrs& a) {
  auto one_of = [&](const std::string& value, const char* name,
                    std::initializer_list<std::string_view> allowed) -> Status {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return ok();
    return c.error(std::string(name) + " '" + value + "' is not known");
  };
  LAPIS_CHECK(one_of(a.mode, "mode", {"nearest", "linear", "cubic"}));
  LAPIS_CHECK(one_of(a.nearest_mode, "nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  LAPIS_CHECK(one_of(a.keep_aspect_ratio_policy, "keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"}));
  return one_of(a.coordinate_transformation_mode, "coordinate_transformation_mode",
                {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                 "tf_crop_and_resize"});
}

bool given(const InferContext& c, size_t i) {  // an empty tensor is as good as none: older exporters write one
  return c.has(i) && !(c.in(i).ranked() && c.in(i).rank() == 1 && c.in(i).dim(0).is(0));
}

Result<Types> infer_resize(const InferContext& c) {
  const ResizeAttrs a = c.attrs<ResizeAttrs>();
  const Type& x = c.in(0);
  LAPIS_CHECK(check_attributes(c, a));
  if (given(c, 2) == given(c, 3)) return c.error("exactly one of scales and sizes must be given");
  if (a.coordinate_transformation_mode == "tf_crop_and_resize" && !c.has(1))
    return c.error("tf_crop_and_resize needs roi");
  if (!x.ranked()) return Types{x};
  LAPIS_TRY(const std::vector<int64_t> axes, resized_axes(c, a, x.rank()));
  const size_t used = given(c, 2) ? 2 : 3;
  const Type& parameter = c.in(used);
  if (parameter.ranked() && (parameter.rank() != 1 || (parameter.dim(0).is_constant() &&
                                                       !parameter.dim(0).is(static_cast<int64_t>(axes.size())))))
    return c.error("one value for each of " + std::to_string(axes.size()) + " axes is needed, " +
                   (used == 2 ? "scales" : "sizes") + " is " + parameter.to_string());
  Dims dims = *x.dims;
  const Tensor* scales = used == 2 ? c.constant(2) : nullptr;
  const std::optional<Dims> sizes = used == 3 ? c.contents(3) : std::nullopt;
  if (scales) {
    for (int64_t i = 0; i < scales->size(); ++i)
      if (!(scales->as_double(i) > 0))
        return c.error("scale " + std::to_string(scales->as_double(i)) + " is not positive");
    apply_scales(dims, axes, *scales);
  } else if (sizes) {
    apply_sizes(dims, axes, *sizes, a.keep_aspect_ratio_policy);
  } else {
    for (int64_t axis : axes) dims[static_cast<size_t>(axis)] = Dim::unknown();
  }
  return Types{Type::tensor(x.dtype, dims)};
}

// ---- coordinates --------------------------------------------------------------------------------------------------

struct Axis {
  int64_t in, out;
  double scale;               // as given, or out / in
  bool by_sizes = true;       // then out / in is exact and the scale is not
  double start = 0, end = 1;  // of the region of interest
  // Of the output, before it was cut down to an integer.
  double width() const { return by_sizes ? static_cast<double>(out) : scale * static_cast<double>(in); }
  // x / scale, in one rounding: where an output lies half way between two inputs, "nearest" depends on the last bit.
  double shrunk(double x) const {
    return by_sizes ? x * static_cast<double>(in) / static_cast<double>(out) : x / scale;
  }
};

double source_coordinate(const Axis& a, const std::string& mode, int64_t at) {
  const auto x = static_cast<double>(at), last = static_cast<double>(a.in - 1);
  const double half_pixel = a.shrunk(x + 0.5) - 0.5;
  if (mode == "asymmetric") return a.shrunk(x);
  if (mode == "align_corners") return a.width() == 1 ? 0 : x * last / (a.width() - 1);
  if (mode == "pytorch_half_pixel") return a.out > 1 ? half_pixel : 0;
  if (mode == "half_pixel_symmetric")
    return static_cast<double>(a.in) / 2 * (1 - static_cast<double>(a.out) / a.width()) + half_pixel;
  if (mode == "tf_crop_and_resize")
    return a.out > 1 ? a.start * last + x * (a.end - a.start) * last / static_cast<double>(a.out - 1)
                     : 0.5 * (a.start + a.end) * last;
  return half_pixel;
}

// ---- weights ------------------------------------------------------------------------------------------------------

// Output coordinate = sum of weight * element; no elements: the extrapolation value.
struct Mix {
  std::vector<int64_t> elements;
  std::vector<double> weights;
};

// The element at x, moved to the border if it lies outside; NaN (of a roi) counts as the first one.
int64_t nearest(double x, const std::string& mode, int64_t size) {
  const double at = mode == "floor"               ? std::floor(x)
                    : mode == "ceil"              ? std::ceil(x)
                    : mode == "round_prefer_ceil" ? std::floor(x + 0.5)
                                                  : std::ceil(x - 0.5);
  return at > 0 ? static_cast<int64_t>(std::min(at, static_cast<double>(size - 1))) : 0;
}

double linear_weight(double distance) { return std::max(0.0, 1 - distance); }
double cubic_weight(double d, double a) {
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// The elements under the filter centred at x; it is stretched when antialiasing a reduction.
Mix filtered(const ResizeAttrs& a, const Axis& axis, double x) {
  const double stretch = a.antialias ? std::min(axis.scale, 1.0) : 1;
  const double radius = a.mode == "linear" ? 1 : 2;
  const auto reach = static_cast<int64_t>(std::floor(-radius / stretch)) + 1;
  const auto left = static_cast<int64_t>(std::ceil(x)) - 1;
  Mix mix;
  double sum = 0;
  for (int64_t i = left + reach; i <= left + 1 - reach; ++i) {
    const double distance = std::abs(static_cast<double>(i) - x) * stretch;
    double weight = a.mode == "linear" ? linear_weight(distance) : cubic_weight(distance, a.cubic_coeff_a);
    if (a.exclude_outside && (i < 0 || i >= axis.in)) weight = 0;
    mix.elements.push_back(std::clamp<int64_t>(i, 0, axis.in - 1));
    mix.weights.push_back(weight);
    sum += weight;
  }
  if (a.antialias || a.exclude_outside)
    for (double& w : mix.weights) w /= sum;
  return mix;
}

std::vector<Mix> mixes_of(const ResizeAttrs& a, const Axis& axis) {
  std::vector<Mix> mixes;
  for (int64_t at = 0; at < axis.out; ++at) {
    const double x = source_coordinate(axis, a.coordinate_transformation_mode, at);
    const bool outside = x < 0 || x > static_cast<double>(axis.in - 1);
    if (a.coordinate_transformation_mode == "tf_crop_and_resize" && outside)
      mixes.push_back({});
    else if (a.mode == "nearest")
      mixes.push_back({{nearest(x, a.nearest_mode, axis.in)}, {1.0}});
    else
      mixes.push_back(filtered(a, axis, x));
  }
  return mixes;
}

std::vector<double> resize_axis(std::vector<double>& values, Shape& shape, int64_t axis, const std::vector<Mix>& mixes,
                                double extrapolation) {
  Shape to_shape = shape;
  to_shape[static_cast<size_t>(axis)] = static_cast<int64_t>(mixes.size());
  std::vector<double> result(static_cast<size_t>(element_count(to_shape)));
  const auto from = lines_along(values, shape, axis), to = lines_along(result, to_shape, axis);
  for (size_t line = 0; line < from.size(); ++line) {
    for (size_t at = 0; at < mixes.size(); ++at) {
      double sum = mixes[at].elements.empty() ? extrapolation : 0;
      for (size_t i = 0; i < mixes[at].elements.size(); ++i)
        sum += mixes[at].weights[i] * from[line][mixes[at].elements[i]];
      to[line][static_cast<int64_t>(at)] = sum;
    }
  }
  shape = to_shape;
  return result;
}

// ---- evaluation ---------------------------------------------------------------------------------------------------

// Scales and sizes that are known only now must name each axis.
Status check_counts(const EvalContext& c, const ResizeAttrs& a) {
  const bool by_scale = c.has(2) && c.in(2).size() > 0;
  if (!by_scale && !c.has(3)) return c.error("exactly one of scales and sizes must be given");
  const Tensor& given = c.in(by_scale ? 2 : 3);
  const auto wanted = static_cast<int64_t>(resized_axes(a, c.in(0).rank()).size());
  if (given.size() != wanted)
    return c.error("one value for each of " + std::to_string(wanted) + " axes is needed, there are " +
                   std::to_string(given.size()));
  return ok();
}

std::vector<Axis> axes_of(const EvalContext& c, const ResizeAttrs& a) {
  const Shape& x = c.in(0).shape();
  const std::vector<int64_t> axes = resized_axes(a, c.in(0).rank());
  const bool by_scale = c.has(2) && c.in(2).size() > 0;
  Dims dims(x.begin(), x.end());
  if (by_scale)
    apply_scales(dims, axes, c.in(2));
  else {
    const std::vector<int64_t> sizes = c.in(3).as_ints();
    apply_sizes(dims, axes, Dims(sizes.begin(), sizes.end()), a.keep_aspect_ratio_policy);
  }
  std::vector<Axis> result;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t out = dims[i].constant().value_or(-1);
    result.push_back({x[i], out, static_cast<double>(out) / static_cast<double>(x[i])});
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    Axis& axis = result[static_cast<size_t>(axes[i])];
    if (by_scale) axis.scale = c.in(2).as_double(static_cast<int64_t>(i));
    axis.by_sizes = !by_scale && a.keep_aspect_ratio_policy == "stretch";
    if (!c.has(1) || c.in(1).size() != static_cast<int64_t>(2 * axes.size())) continue;
    axis.start = c.in(1).as_double(static_cast<int64_t>(i));
    axis.end = c.in(1).as_double(static_cast<int64_t>(i + axes.size()));
  }
  return result;
}

// Cubic filters overshoot: integers saturate instead of wrapping around.
void saturate(std::vector<double>& values, DType dtype) {
  if (is_float(dtype)) return;
  const IntegerRange range = integer_range(dtype);
  for (double& v : values) v = std::clamp(v, static_cast<double>(range.lowest), static_cast<double>(range.highest));
}

Status evaluate_resize(EvalContext& c) {
  const ResizeAttrs a = c.attrs<ResizeAttrs>();
  const Tensor& x = c.in(0);
  std::vector<double> values = to_doubles(x);
  Shape shape = x.shape();
  LAPIS_CHECK(check_counts(c, a));
  const std::vector<Axis> axes = axes_of(c, a);
  for (const Axis& axis : axes)
    if (axis.out < 0) return c.error("the result cannot be: it is larger than any memory or has a negative extent");
  for (size_t i = 0; i < axes.size(); ++i) {
    const bool cropped =
        a.coordinate_transformation_mode == "tf_crop_and_resize" && (axes[i].start != 0 || axes[i].end != 1);
    if (axes[i].in == axes[i].out && axes[i].scale == 1 && !cropped) continue;
    if (axes[i].in == 0 && axes[i].out > 0)
      return c.error("axis " + std::to_string(i) + " of " + Type::of(x).to_string() + " has no elements to enlarge");
    values = resize_axis(values, shape, static_cast<int64_t>(i), mixes_of(a, axes[i]), a.extrapolation_value);
  }
  saturate(values, x.dtype());
  c.set_out(0, from_doubles(x.dtype(), shape, values));
  return ok();
}

constexpr TypeSet kPixels =
    kFloats | types(DType::Int8, DType::UInt8, DType::Int16, DType::UInt16, DType::Int32);  // exact in double

}  // namespace

const OpDef Resize = op("Resize")
                         .since(19)
                         .doc("Resamples along axes to new sizes: nearest, linear or cubic.")
                         .in("X", kPixels)
                         .optional_in("roi", types(DType::Float32, DType::Float64, DType::Float16))
                         .optional_in("scales", types(DType::Float32))
                         .optional_in("sizes", types(DType::Int64))
                         .out("Y", kPixels)
                         .attrs<ResizeAttrs>()
                         .infer(infer_resize)
                         .evaluate(evaluate_resize)
                         .traits(Trait::Pure);

}  // namespace lapis::ops
