// Resize: separable, so each axis is a table of which elements a coordinate mixes (ir/ops/resampling.h),
// applied axis by axis.
#include <algorithm>

#include "ir/ops/loops.h"
#include "ir/ops/movement.h"
#include "ir/ops/ops.h"
#include "ir/ops/resampling.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kFillable = kNumbers | types(DType::Bool);  // by a number

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

// What can be said before the shape of X is known.
Status check_operands(const InferContext& c, const ResizeAttrs& a) {
  const Type& x = c.in(0);
  if (a.mode != "nearest" && x.dtype != DType::Undefined && !allows(kNumbers, x.dtype))
    return c.error("mode '" + a.mode + "' computes with numbers, X is " + x.to_string());
  if (given(c, 2) == given(c, 3)) return c.error("exactly one of scales and sizes must be given");
  if (crops(a) && !c.has(1)) return c.error("tf_crop_and_resize needs roi");
  return ok();
}

// scales or sizes, as operand `used`.
Status check_parameter(const InferContext& c, size_t used, int64_t axes) {
  const Type& parameter = c.in(used);
  const bool open = !parameter.ranked() || (parameter.rank() == 1 && !parameter.dim(0).is_constant());
  if (!open && (parameter.rank() != 1 || !parameter.dim(0).is(axes)))
    return c.error("one value for each of " + std::to_string(axes) + " axes is needed, " +
                   (used == 2 ? "scales" : "sizes") + " is " + parameter.to_string());
  const Tensor* scales = used == 2 ? c.constant(2) : nullptr;
  for (int64_t i = 0; scales && i < scales->size(); ++i)
    if (!(scales->as_double(i) > 0))
      return c.error("scale " + std::to_string(scales->as_double(i)) + " is not positive");
  return ok();
}

Result<Types> infer_resize(const InferContext& c) {
  const ResizeAttrs a = c.attrs<ResizeAttrs>();
  const Type& x = c.in(0);
  LAPIS_CHECK(check_attributes(c, a));
  LAPIS_CHECK(check_operands(c, a));
  if (!x.ranked()) return Types{x};
  LAPIS_CHECK(checked_axes(c, a.axes, x.rank()));
  const std::vector<int64_t> axes = axes_to_resize(a, x.rank());
  const size_t used = given(c, 2) ? 2 : 3;
  LAPIS_CHECK(check_parameter(c, used, static_cast<int64_t>(axes.size())));
  Dims dims = *x.dims;
  const Tensor* scales = used == 2 ? c.constant(2) : nullptr;
  const std::optional<Dims> sizes = used == 3 ? c.contents(3) : std::nullopt;
  if (scales)
    apply_scales(dims, axes, *scales);
  else if (sizes)
    apply_sizes(dims, axes, *sizes, a.keep_aspect_ratio_policy);
  else
    for (int64_t axis : axes) dims[static_cast<size_t>(axis)] = Dim::unknown();
  return Types{Type::tensor(x.dtype, dims)};
}

// ---- evaluation ---------------------------------------------------------------------------------------------------

std::vector<double> resample(std::vector<double>& values, Shape& shape, const ResampledAxis& axis,
                             double extrapolation) {
  shape[static_cast<size_t>(axis.axis)] = axis.out;
  std::vector<double> result(static_cast<size_t>(element_count(shape)));
  Shape from_shape = shape;
  from_shape[static_cast<size_t>(axis.axis)] = axis.in;
  const auto from = lines_along(values, from_shape, axis.axis), to = lines_along(result, shape, axis.axis);
  for (size_t line = 0; line < to.size(); ++line)
    for (int64_t at = 0; at < axis.out; ++at) {
      const auto first = static_cast<size_t>(at * axis.taps);
      double sum = axis.weights[first] * from[line][axis.elements[first]];
      for (size_t i = first + 1; i < first + static_cast<size_t>(axis.taps); ++i)
        sum += axis.weights[i] * from[line][axis.elements[i]];
      const bool outside = !axis.outside.empty() && axis.outside[static_cast<size_t>(at)];
      to[line][at] = outside ? extrapolation : sum;
    }
  return result;
}

Tensor interpolated(const Tensor& x, const std::vector<ResampledAxis>& axes, double extrapolation) {
  if (axes.empty()) return x;  // integers of any size stay what they are
  std::vector<double> values = to_doubles(x);
  Shape shape = x.shape();
  for (const ResampledAxis& axis : axes) values = resample(values, shape, axis, extrapolation);
  return from_doubles(x.dtype(), shape, values);
}

// Elements as they are, of any type.
Tensor chosen(const Tensor& x, const std::vector<ResampledAxis>& axes, const Tensor* fill) {
  Offsets offsets = identity_offsets(x.shape());
  for (const ResampledAxis& axis : axes) {
    std::vector<int64_t>& along = offsets[static_cast<size_t>(axis.axis)];
    std::vector<int64_t> taken;
    for (size_t i = 0; i < axis.elements.size(); ++i)
      taken.push_back(!axis.outside.empty() && axis.outside[i] ? kFill : along[static_cast<size_t>(axis.elements[i])]);
    along = std::move(taken);
  }
  return collect(x, offsets, fill);
}

// Scales and sizes that are known only now must name each axis.
Result<ResizeOperands> operands_of(const EvalContext& c, const ResizeAttrs& a) {
  ResizeOperands operands;
  if (c.has(1)) operands.roi = &c.in(1);
  if (c.has(2) && c.in(2).size() > 0)
    operands.scales = &c.in(2);
  else if (c.has(3))
    operands.sizes = &c.in(3);
  const Tensor* given = operands.scales ? operands.scales : operands.sizes;
  if (!given) return c.error("exactly one of scales and sizes must be given");
  const auto wanted = static_cast<int64_t>(axes_to_resize(a, c.in(0).rank()).size());
  if (given->size() != wanted)
    return c.error("one value for each of " + std::to_string(wanted) + " axes is needed, there are " +
                   std::to_string(given->size()));
  return operands;
}

Status check_extents(const EvalContext& c, const ResizeAttrs& a, const std::vector<ResizedAxis>& axes) {
  for (const ResizedAxis& axis : axes)
    if (axis.out < 0) return c.error("the result cannot be: it is larger than any memory or has a negative extent");
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].changes(a) && axes[i].in == 0 && axes[i].out > 0)
      return c.error("axis " + std::to_string(i) + " of " + Type::of(c.in(0)).to_string() +
                     " has no elements to enlarge");
  return ok();
}

Status evaluate_resize(EvalContext& c) {
  const ResizeAttrs a = c.attrs<ResizeAttrs>();
  const Tensor& x = c.in(0);
  LAPIS_TRY(const ResizeOperands operands, operands_of(c, a));
  const std::vector<ResizedAxis> sizes = resized_axes(a, x.shape(), operands);
  LAPIS_CHECK(check_extents(c, a, sizes));
  const std::vector<ResampledAxis> axes = resampled_axes(a, sizes);
  if (a.mode != "nearest") {
    c.set_out(0, interpolated(x, axes, a.extrapolation_value));
    return ok();
  }
  const bool fills = std::any_of(axes.begin(), axes.end(), [](const ResampledAxis& r) { return !r.outside.empty(); });
  if (fills && !allows(kFillable, x.dtype()))
    return c.unsupported("extrapolation of " + std::string(name_of(x.dtype())));
  const Tensor fill = fills ? from_doubles(x.dtype(), {}, {a.extrapolation_value}) : Tensor();
  c.set_out(0, chosen(x, axes, fills ? &fill : nullptr));
  return ok();
}

}  // namespace

const OpDef Resize = op("Resize")
                         .since(19)
                         .doc("Resamples along axes to new sizes: nearest, linear or cubic.")
                         .in("X", kTensors)
                         .optional_in("roi", types(DType::Float32, DType::Float64, DType::Float16))
                         .optional_in("scales", types(DType::Float32))
                         .optional_in("sizes", types(DType::Int64))
                         .out("Y", kTensors)
                         .attrs<ResizeAttrs>()
                         .infer(infer_resize)
                         .evaluate(evaluate_resize)
                         .traits(Trait::Pure);

}  // namespace lapis::ops
