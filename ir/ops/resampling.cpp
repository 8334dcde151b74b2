#include "ir/ops/resampling.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "ir/ops/loops.h"
#include "ir/ops/movement.h"

namespace lapis::ops {
namespace {

// ---- sizes --------------------------------------------------------------------------------------------------------

// floor(extent * scale), symbolic where the scale or its inverse is a whole number.
Dim scaled(const Dim& extent, double scale) {
  if (extent.is_constant()) return extent_of(std::floor(static_cast<double>(extent.value()) * scale));
  if (scale == std::floor(scale)) return extent * extent_of(scale);
  const double inverse = 1 / scale;
  return inverse == std::floor(inverse) ? floor_div(extent, extent_of(inverse)) : Dim::unknown();
}

// One scale for all axes that keeps the aspect ratio; nullopt where an extent is not known.
std::optional<double> common_scale(const Dims& dims, const std::vector<int64_t>& axes, const Dims& sizes,
                                   const std::string& policy) {
  std::vector<double> scales;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim& dim = dims[static_cast<size_t>(axes[i])];
    if (!dim.is_constant() || !sizes[i].is_constant()) return std::nullopt;
    scales.push_back(static_cast<double>(sizes[i].value()) / static_cast<double>(dim.value()));
  }
  if (scales.empty()) return std::nullopt;
  return policy == "not_larger" ? *std::min_element(scales.begin(), scales.end())
                                : *std::max_element(scales.begin(), scales.end());
}

Dim rounded_half_up(double value) { return extent_of(std::floor(value + 0.5)); }

Dims resized_dims(const ResizeAttrs& a, const Shape& x, const std::vector<int64_t>& axes, const ResizeOperands& given) {
  Dims dims = to_dims(x);
  if (given.scales)
    apply_scales(dims, axes, *given.scales);
  else
    apply_sizes(dims, axes, to_dims(given.sizes->as_ints()), a.keep_aspect_ratio_policy);
  return dims;
}

// ---- coordinates --------------------------------------------------------------------------------------------------

// Of the output, before it was cut down to an integer.
double width(const ResizedAxis& a) {
  return a.by_sizes ? static_cast<double>(a.out) : a.scale * static_cast<double>(a.in);
}

// x / scale, in one rounding: where an output lies half way between two inputs, "nearest" depends on the last bit.
double shrunk(const ResizedAxis& a, double x) {
  return a.by_sizes ? x * static_cast<double>(a.in) / static_cast<double>(a.out) : x / a.scale;
}

double source_coordinate(const ResizedAxis& a, const std::string& mode, int64_t at) {
  const auto x = static_cast<double>(at), last = static_cast<double>(a.in - 1);
  const double half_pixel = shrunk(a, x + 0.5) - 0.5;
  if (mode == "asymmetric") return shrunk(a, x);
  if (mode == "align_corners") return width(a) == 1 ? 0 : x * last / (width(a) - 1);
  if (mode == "pytorch_half_pixel") return a.out > 1 ? half_pixel : 0;
  if (mode == "half_pixel_symmetric")
    return static_cast<double>(a.in) / 2 * (1 - static_cast<double>(a.out) / width(a)) + half_pixel;
  if (mode == "tf_crop_and_resize")
    return a.out > 1 ? a.start * last + x * (a.end - a.start) * last / static_cast<double>(a.out - 1)
                     : 0.5 * (a.start + a.end) * last;
  return half_pixel;
}

// ---- weights ------------------------------------------------------------------------------------------------------

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

// The filter of a mode around a coordinate; it is stretched when antialiasing a reduction.
struct Filter {
  Filter(const ResizeAttrs& attrs, const ResizedAxis& resized)
      : a(attrs),
        axis(resized),
        stretch(a.antialias ? std::min(axis.scale, 1.0) : 1),
        reach(static_cast<int64_t>(std::floor((a.mode == "linear" ? -1 : -2) / stretch)) + 1) {}

  int64_t taps() const { return 2 - 2 * reach; }

  double weight(int64_t element, double x) const {
    if (a.exclude_outside && (element < 0 || element >= axis.in)) return 0;
    const double distance = std::abs(static_cast<double>(element) - x) * stretch;
    return a.mode == "linear" ? linear_weight(distance) : cubic_weight(distance, a.cubic_coeff_a);
  }

  void add(ResampledAxis& to, double x) const {
    const int64_t first = below(x) + reach;
    double sum = 0;
    const size_t begin = to.weights.size();
    for (int64_t i = first; i < first + taps(); ++i) {
      to.elements.push_back(std::clamp<int64_t>(i, 0, axis.in - 1));
      to.weights.push_back(weight(i, x));
      sum += to.weights.back();
    }
    if (a.antialias || a.exclude_outside)
      for (double& w : std::span(to.weights).subspan(begin)) w /= sum;
  }

  // The element below a coordinate. Far outside (of a roi) all of them are the border's, whatever their number;
  // NaN has none.
  int64_t below(double x) const {
    const auto limit = static_cast<double>(axis.in + taps());
    return static_cast<int64_t>(std::ceil(x >= -limit ? std::min(x, limit) : -limit)) - 1;
  }

  const ResizeAttrs& a;
  const ResizedAxis& axis;
  const double stretch;
  const int64_t reach;  // of the first tap, from the element below the coordinate
};

ResampledAxis resampled(const ResizeAttrs& a, const ResizedAxis& axis, int64_t number) {
  if (axis.out == 0) return {number, axis.in, 0, 1, {}, {}, {}};
  const Filter filter(a, axis);
  ResampledAxis result{number, axis.in, axis.out, a.mode == "nearest" ? 1 : filter.taps(), {}, {}, {}};
  bool any_outside = false;
  for (int64_t at = 0; at < axis.out; ++at) {
    const double x = source_coordinate(axis, a.coordinate_transformation_mode, at);
    result.outside.push_back(crops(a) && (x < 0 || x > static_cast<double>(axis.in - 1)));
    any_outside |= result.outside.back();
    if (a.mode == "nearest")
      result.elements.push_back(nearest(x, a.nearest_mode, axis.in));
    else
      filter.add(result, x);
  }
  if (!any_outside) result.outside.clear();
  return result;
}

}  // namespace

bool crops(const ResizeAttrs& a) { return a.coordinate_transformation_mode == "tf_crop_and_resize"; }

std::vector<int64_t> axes_to_resize(const ResizeAttrs& a, int64_t rank) {
  if (a.axes.empty()) return arithmetic_sequence(0, 1, rank);
  std::vector<int64_t> axes;
  for (int64_t axis : a.axes) axes.push_back(normalized(axis, rank));
  return axes;
}

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
  const std::optional<double> scale = common_scale(dims, axes, sizes, policy);
  for (int64_t axis : axes) {
    Dim& dim = dims[static_cast<size_t>(axis)];
    dim = scale ? rounded_half_up(*scale * static_cast<double>(dim.value())) : Dim::unknown();
  }
}

bool ResizedAxis::changes(const ResizeAttrs& a) const {
  return in != out || scale != 1 || (crops(a) && (start != 0 || end != 1));
}

std::vector<ResizedAxis> resized_axes(const ResizeAttrs& a, const Shape& x, const ResizeOperands& operands) {
  const std::vector<int64_t> axes = axes_to_resize(a, static_cast<int64_t>(x.size()));
  const Dims dims = resized_dims(a, x, axes, operands);
  std::vector<ResizedAxis> result;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t out = dims[i].constant().value_or(-1);
    result.push_back({x[i], out, static_cast<double>(out) / static_cast<double>(x[i])});
  }
  const bool by_sizes = !operands.scales && a.keep_aspect_ratio_policy == "stretch";
  std::optional<double> common;  // also of an axis whose rounded size is not quite that much
  if (!operands.scales && !by_sizes)
    common = common_scale(to_dims(x), axes, to_dims(operands.sizes->as_ints()), a.keep_aspect_ratio_policy);
  const auto count = static_cast<int64_t>(axes.size());
  for (int64_t i = 0; i < count; ++i) {
    ResizedAxis& axis = result[static_cast<size_t>(axes[static_cast<size_t>(i)])];
    if (operands.scales) axis.scale = operands.scales->as_double(i);
    axis.scale = common.value_or(axis.scale);
    axis.by_sizes = by_sizes;
    if (!operands.roi || operands.roi->size() != 2 * count) continue;
    axis.start = operands.roi->as_double(i);
    axis.end = operands.roi->as_double(i + count);
  }
  return result;
}

std::vector<ResampledAxis> resampled_axes(const ResizeAttrs& a, const std::vector<ResizedAxis>& axes) {
  std::vector<ResampledAxis> result;
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].changes(a)) result.push_back(resampled(a, axes[i], static_cast<int64_t>(i)));
  return result;
}

}  // namespace lapis::ops
