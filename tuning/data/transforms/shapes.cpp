// Transforms that move elements and do not change them.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "ir/ops/loops.h"
#include "tuning/data/transforms.h"

namespace lapis {
namespace {

constexpr double kMost = 1e12;

// The element of `t` that `index` gives for each position of the result;
// `fill`, an element of the same type, where that is negative.
template <class Index> Tensor gathered(const Tensor& t, const Shape& shape, Index index, const Tensor& fill = {}) {
  Tensor result(t.dtype(), shape);
  const auto bytes = static_cast<size_t>(bit_width(t.dtype()) / 8);
  std::byte* to = result.mutable_raw();
  std::vector<int64_t> at(shape.size(), 0);
  for (int64_t n = result.size(); n > 0; --n, to += bytes) {
    const int64_t from = index(at);
    std::memcpy(to, from < 0 ? fill.raw() : t.raw() + static_cast<size_t>(from) * bytes, bytes);
    for (size_t axis = shape.size(); axis-- > 0 && ++at[axis] == shape[axis];) at[axis] = 0;
  }
  return result;
}

int64_t offset(const std::vector<int64_t>& at, const Shape& strides) {
  return std::inner_product(at.begin(), at.end(), strides.begin(), int64_t{0});
}

Status check_whole_bytes(const Settings& settings, const Tensor& t) {
  if (visit_dtype(t.dtype(), [](auto) {})) return ok();
  return settings.problem("this transform cannot move elements of " + to_string(t, 0));
}

bool is_permutation(std::vector<int64_t> axes) {
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != static_cast<int64_t>(i)) return false;
  return true;
}

Result<TransformFunction> make_transpose(const Settings& settings) {
  const std::vector<int64_t> axes = settings.wholes("axes");
  if (!is_permutation(axes)) return settings.problem("`axes` must name each axis from 0 once");
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    LAPIS_CHECK(check_whole_bytes(settings, t));
    if (t.rank() != static_cast<int64_t>(axes.size()))
      return settings.problem("`axes` names " + std::to_string(axes.size()) + " axes, the sample is " +
                              to_string(t, 0) + " (without its leading 1)");
    const Shape all = row_major_strides(t.shape());
    Shape shape, strides;
    for (const int64_t axis : axes) shape.push_back(t.dim(axis)), strides.push_back(all[static_cast<size_t>(axis)]);
    return gathered(t, shape, [&](const std::vector<int64_t>& at) { return offset(at, strides); });
  });
}

Result<TransformFunction> make_reshape(const Settings& settings) {
  const std::vector<int64_t> wanted = settings.wholes("shape");
  if (std::count(wanted.begin(), wanted.end(), -1) > 1) return settings.problem("`shape` has more than one -1");
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    Shape shape = wanted;
    const auto free = std::find(shape.begin(), shape.end(), -1);
    if (free != shape.end()) {
      *free = 1;
      if (const auto problem = shape_problem(t.dtype(), shape)) return settings.problem("`shape` is none: " + *problem);
      const int64_t others = element_count(shape);
      *free = others ? t.size() / others : 0;
    }
    if (shape_problem(t.dtype(), shape) || element_count(shape) != t.size())
      return settings.problem("the sample " + to_string(t, 0) + " cannot take the shape " + to_string(wanted));
    return t.reshaped(shape);
  });
}

Result<TransformFunction> make_repeat(const Settings& settings) {
  const int64_t times = settings.whole("times"), axis = settings.whole("axis");
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    LAPIS_CHECK(check_whole_bytes(settings, t));
    if (axis > t.rank())
      return settings.problem("`axis` " + std::to_string(axis) + " does not exist in " + to_string(t, 0));
    Shape shape = t.shape(), strides = row_major_strides(t.shape());
    shape.insert(shape.begin() + axis, times);
    strides.insert(strides.begin() + axis, 0);
    if (const auto problem = shape_problem(t.dtype(), shape)) return settings.problem("too many copies: " + *problem);
    return gathered(t, shape, [&](const std::vector<int64_t>& at) { return offset(at, strides); });
  });
}

Result<TransformFunction> make_reverse(const Settings& settings) {
  const int64_t wanted = settings.whole("axis", -1);
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    LAPIS_CHECK(check_whole_bytes(settings, t));
    const int64_t axis = wanted < 0 ? wanted + t.rank() : wanted;
    if (axis < 0 || axis >= t.rank())
      return settings.problem("`axis` " + std::to_string(wanted) + " does not exist in " + to_string(t, 0));
    const Shape strides = row_major_strides(t.shape());
    const auto a = static_cast<size_t>(axis);
    return gathered(t, t.shape(), [&](const std::vector<int64_t>& at) {
      return offset(at, strides) + (t.dim(axis) - 1 - 2 * at[a]) * strides[a];
    });
  });
}

struct Padding {
  Shape to, before, after;

  // The new shape; how much is in front goes to `front`.
  Result<Shape> shape_of(const Settings& settings, const Tensor& t, Shape& front) const {
    if (static_cast<int64_t>(std::max(to.size(), before.size())) != t.rank())
      return settings.problem("`pad` has numbers for other axes than those of " + to_string(t, 0));
    front = to.empty() ? before : Shape(t.shape().size(), 0);
    Shape shape = to;
    for (size_t i = 0; i < before.size(); ++i) shape.push_back(before[i] + t.shape()[i] + after[i]);
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] < t.shape()[i]) return settings.problem("the sample " + to_string(t, 0) + " is larger than `to`");
    if (const auto problem = shape_problem(t.dtype(), shape)) return settings.problem("too much padding: " + *problem);
    return shape;
  }
};

Tensor padded(const Tensor& t, const Shape& shape, const Shape& front, double value) {
  const Shape strides = row_major_strides(t.shape());
  const auto source = [&](const std::vector<int64_t>& at) {
    int64_t from = 0;
    for (size_t i = 0; i < at.size(); ++i) {
      const int64_t x = at[i] - front[i];
      if (x < 0 || x >= t.shape()[i]) return int64_t{-1};
      from += x * strides[i];
    }
    return from;
  };
  return gathered(t, shape, source, ops::from_doubles(t.dtype(), {}, {value}));
}

Result<TransformFunction> make_pad(const Settings& settings) {
  const Padding padding{settings.wholes("to"), settings.wholes("before"), settings.wholes("after")};
  if (padding.to.empty() == (padding.before.empty() && padding.after.empty()))
    return settings.problem("`pad` needs `to` (a shape), or `before` and `after` (one number an axis)");
  if (padding.before.size() != padding.after.size())
    return settings.problem("`before` and `after` have different lengths");
  return TransformFunction([=, value = settings.number("value")](const Tensor& t) -> Result<Tensor> {
    LAPIS_CHECK(check_whole_bytes(settings, t));
    Shape front;
    LAPIS_TRY(const Shape shape, padding.shape_of(settings, t, front));
    return padded(t, shape, front, value);
  });
}

Result<TransformFunction> make_unpack_bits(const Settings& settings) {
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    if (t.dtype() != DType::UInt8 || t.rank() < 1)
      return settings.problem("`unpack_bits` needs bytes, got " + to_string(t, 0));
    Shape shape = t.shape();
    shape.back() *= 8;
    Tensor result(DType::UInt8, shape);
    auto out = result.mutable_data<uint8_t>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(t.data<uint8_t>()[i / 8] >> (7 - i % 8) & 1);
    return result;
  });
}

}  // namespace

std::vector<Transform> shape_transforms() {
  const auto wholes = [](const char* name, const char* doc, double low, bool required) {
    return Option{
        .name = name, .kind = OptionKind::Wholes, .doc = doc, .required = required, .low = low, .high = kMost};
  };
  return {
      {.name = "transpose",
       .doc = "reorders the axes: [2, 0, 1] makes channels first of a picture",
       .options = {wholes("axes", "the axis that each new one was", 0, true)},
       .make = make_transpose},
      {.name = "reshape",
       .doc = "the same elements in another shape",
       .options = {wholes("shape", "extents, one of them may be -1", -1, true)},
       .make = make_reshape},
      {.name = "repeat",
       .doc = "copies along a new axis: grey to three channels, one user beside a hundred items",
       .options =
           {{.name = "times", .kind = OptionKind::Whole, .doc = "how many", .required = true, .low = 1, .high = kMost},
            {.name = "axis",
             .kind = OptionKind::Whole,
             .doc = "where the new axis goes; default: 0",
             .low = 0,
             .high = 63}},
       .make = make_repeat},
      {.name = "reverse",
       .doc = "turns an axis around: of the last one of a picture, RGB to BGR",
       .options = {{.name = "axis", .kind = OptionKind::Whole, .doc = "default: the last", .low = -64, .high = 63}},
       .make = make_reverse},
      {.name = "pad",
       .doc = "adds elements around the sample",
       .options = {wholes("to", "the shape afterwards, the new elements behind", 0, false),
                   wholes("before", "new elements in front, one number an axis", 0, false),
                   wholes("after", "new elements behind, one number an axis", 0, false),
                   {.name = "value", .kind = OptionKind::Number, .doc = "of the new elements; default: 0"}},
       .make = make_pad},
      {.name = "unpack_bits",
       .doc = "bytes to eight times as many of 0 and 1 along the last axis, the highest bit first",
       .options = {},
       .make = make_unpack_bits},
  };
}

}  // namespace lapis
