// Windows of an image as columns, and columns added up to an image:
// convolutions with weights that pick one element each.
#include "frontends/pytorch/translators.h"
#include "frontends/pytorch/windows.h"
#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {
namespace {

struct Columns {
  std::vector<int64_t> kernel, dilation, padding, stride;
  int64_t elements = 0;  // of a window
};

Result<Columns> columns(Args& a) {
  constexpr int64_t kMost = 1 << 12;
  Columns c;
  LAPIS_TRY(c.kernel, for_axes(a.list("kernel_size"), 2));
  LAPIS_TRY(c.dilation, for_axes(a.list("dilation", {1}), 2));
  LAPIS_TRY(c.padding, for_axes(a.list("padding", {0}), 2));
  LAPIS_TRY(c.stride, for_axes(a.list("stride", {1}), 2));
  LAPIS_CHECK(a.status());
  for (const auto* numbers : {&c.kernel, &c.dilation, &c.stride})
    for (const int64_t number : *numbers)
      if (number < 1 || number > kMost) return error(ErrorKind::Input, "has windows of " + std::to_string(number));
  c.elements = c.kernel[0] * c.kernel[1];
  if (c.elements > kMost) return Translation::unsupported("windows of " + std::to_string(c.elements) + " elements");
  return c;
}

// [elements, 1, rows, columns]: weights of which number i is 1 at element i.
Value* picking(Translation& t, const Columns& c, DType dtype) {
  std::vector<double> ones(static_cast<size_t>(c.elements * c.elements));
  for (int64_t i = 0; i < c.elements; ++i) ones[static_cast<size_t>(i * c.elements + i)] = 1;
  return t.constant(ops::from_doubles(dtype, {c.elements, 1, c.kernel[0], c.kernel[1]}, ones));
}

Result<int64_t> known_size(const Value* x, int64_t axis) {
  if (x->type().ranked() && axis < x->type().rank() && x->type().dim(axis).is_constant())
    return x->type().dim(axis).value();
  return Translation::unsupported("an image or columns of open size");
}

// Of images [N, C, H, W] the columns [N, C * elements, windows].
Status im2col(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Columns c, columns(a));
  LAPIS_TRY(Value * x, self(a));
  bool added = false;
  LAPIS_TRY(x, with_batch(t, x, 2, added));
  LAPIS_TRY(const int64_t channels, known_size(x, 1));
  LAPIS_TRY(const int64_t height, known_size(x, 2));
  LAPIS_TRY(const int64_t width, known_size(x, 3));
  LAPIS_TRY(Value * planes, frontend::reshape(t, x, {-1, 1, height, width}));
  const ops::ConvAttrs attributes{
      .dilations = c.dilation, .kernel_shape = c.kernel, .pads = both_sides(c.padding), .strides = c.stride};
  LAPIS_TRY(Value * windows, t.add(ops::Conv, {planes, picking(t, c, x->dtype())}, attributes));
  LAPIS_TRY(const int64_t rows, known_size(windows, 2));
  LAPIS_TRY(const int64_t across, known_size(windows, 3));
  auto y = frontend::reshape(t, windows, {-1, channels * c.elements, rows * across});
  return finish(t, without_batch(t, std::move(y), added));
}

// How many windows there are along an axis, and how many pixels behind the last one.
struct Count {
  int64_t windows, rest;
};
Result<Count> count_of(const Columns& c, int64_t size, size_t axis) {
  const int64_t last = size + 2 * c.padding[axis] - c.dilation[axis] * (c.kernel[axis] - 1) - 1;
  if (last < 0) return error(ErrorKind::Input, "has an image that is smaller than its windows");
  return Count{last / c.stride[axis] + 1, last % c.stride[axis]};
}

// Of columns [N, C * elements, windows] the images [N, C, H, W].
Status col2im(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Columns c, columns(a));
  LAPIS_TRY(const std::vector<int64_t> size, for_axes(a.list("output_size"), 2));
  LAPIS_CHECK(a.status());
  LAPIS_CHECK(check_positions({size[0], size[1], c.padding[0], c.padding[1]}));
  LAPIS_TRY(const Count down, count_of(c, size[0], 0));
  LAPIS_TRY(const Count across, count_of(c, size[1], 1));
  LAPIS_TRY(Value * x, self(a));
  bool added = false;
  LAPIS_TRY(x, with_batch(t, x, 1, added));
  LAPIS_TRY(const int64_t rows, known_size(x, 1));
  LAPIS_TRY(Value * windows, frontend::reshape(t, x, {-1, c.elements, down.windows, across.windows}));
  const ops::ConvTransposeAttrs attributes{.dilations = c.dilation,
                                           .kernel_shape = c.kernel,
                                           .output_padding = {down.rest, across.rest},
                                           .output_shape = {},
                                           .pads = both_sides(c.padding),
                                           .strides = c.stride};
  LAPIS_TRY(Value * planes, t.add(ops::ConvTranspose, {windows, picking(t, c, x->dtype())}, attributes));
  auto y = frontend::reshape(t, planes, {-1, rows / c.elements, size[0], size[1]});
  return finish(t, without_batch(t, std::move(y), added));
}

constexpr AtenRow kRows[] = {
    {"aten.col2im", "self output_size kernel_size dilation padding stride", col2im},
    {"aten.im2col", "self kernel_size dilation padding stride", im2col},
};

}  // namespace

std::span<const AtenRow> column_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
