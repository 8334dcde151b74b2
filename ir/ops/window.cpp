#include "ir/ops/window.h"

#include <algorithm>

#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {

Dim Window::output(size_t axis, const Dim& input) const {
  const int64_t stride = strides[axis];
  if (same_padding()) return ceil_div(input, stride);
  const Dim room = input + Dim(begins[axis] + ends[axis] - reach(axis));
  if (!ceil_mode) return floor_div(room, stride) + Dim(1);
  Dim rounded_up = ceil_div(room, stride) + Dim(1);
  // A last window that would start in the end padding is dropped. It cannot where the kernel reaches over padding and
  // stride.
  if (ends[axis] + stride <= reach(axis)) return rounded_up;
  if (!rounded_up.is_constant()) return Dim::unknown();
  const bool starts_in_padding = (rounded_up.value() - 1) * stride >= input.value() + begins[axis];
  return starts_in_padding ? rounded_up - Dim(1) : rounded_up;
}

bool Window::meets(const Type& x) const {
  for (size_t axis = 0; axis < rank(); ++axis)
    if (!meets(axis, x.dim(static_cast<int64_t>(axis) + 2))) return false;
  return true;
}

bool Window::meets(size_t axis, const Dim& input) const {
  const bool steps_over = input.is_constant() ? input.value() < dilations[axis] : dilations[axis] > 1;
  if (steps_over || input.is(0)) return false;
  if (same_padding()) return true;
  const bool overlaps = begins[axis] < reach(axis) && ends[axis] < reach(axis);
  const bool empty_has_no_position = begins[axis] + ends[axis] < reach(axis);
  return overlaps && (input.is_constant() || empty_has_no_position);
}

Shape Window::output_shape(std::span<const int64_t> input) const {
  Shape shape;
  for (size_t axis = 0; axis < rank(); ++axis) shape.push_back(output(axis, input[axis]).value());
  return shape;
}

Window Window::on(std::span<const int64_t> input) const {
  Window fixed = *this;
  if (!same_padding()) return fixed;
  for (size_t axis = 0; axis < rank(); ++axis) {
    const int64_t outputs = output(axis, input[axis]).value();
    const int64_t total = std::max<int64_t>(0, (outputs - 1) * strides[axis] + reach(axis) - input[axis]);
    fixed.begins[axis] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    fixed.ends[axis] = total - fixed.begins[axis];
  }
  fixed.auto_pad = "NOTSET";
  fixed.ceil_mode = false;  // the numbers fit exactly
  return fixed;
}

static std::vector<int64_t> or_default(const std::vector<int64_t>& list, size_t size, int64_t value) {
  return list.empty() ? std::vector<int64_t>(size, value) : list;
}

Window window_of(const WindowLists& lists, size_t rank, bool ceil_mode) {
  const bool explicit_pads = lists.auto_pad == "NOTSET" && !lists.pads.empty();
  const std::vector<int64_t> pads = explicit_pads ? lists.pads : std::vector<int64_t>(2 * rank, 0);
  return {lists.auto_pad,
          ceil_mode,
          lists.kernel,
          or_default(lists.strides, rank, 1),
          or_default(lists.dilations, rank, 1),
          {pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank)},
          {pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end()}};
}

template <class PoolAttrs> static Window declared(const PoolAttrs& a) {
  return window_of({a.auto_pad, a.kernel_shape, a.strides, a.dilations, a.pads}, a.kernel_shape.size(), a.ceil_mode);
}

Window pool_window(const MaxPoolAttrs& a) { return declared(a); }

Window conv_window(const ConvAttrs& a, const Shape& weight) {
  const std::vector<int64_t> kernel(weight.begin() + 2, weight.end());
  return window_of({a.auto_pad, kernel, a.strides, a.dilations, a.pads}, kernel.size());
}

Window window_of(const Node& node) {
  const Shape input = node.input(0)->type().shape();
  const auto spatial = std::span(input).subspan(2);
  if (node.is(MaxPool)) return declared(node.attrs<MaxPoolAttrs>()).on(spatial);
  if (node.is(AveragePool)) return declared(node.attrs<AveragePoolAttrs>()).on(spatial);
  return conv_window(node.attrs<ConvAttrs>(), node.input(node.is(QLinearConv) ? 3 : 1)->type().shape()).on(spatial);
}

Result<Window> make_window(const InferContext& context, const WindowLists& lists, size_t rank, bool ceil_mode) {
  constexpr int64_t kHighest = INT32_MAX;  // products of two of them fit 64 bits
  auto check = [&](const std::vector<int64_t>& list, const char* name, size_t wanted, int64_t lowest) -> Status {
    if (list.empty() && wanted != 0 && std::string_view(name) != "kernel_shape") return ok();
    if (list.size() != wanted)
      return context.error(std::string(name) + " has " + std::to_string(list.size()) + " values, " +
                           std::to_string(wanted) + " are needed for " + std::to_string(rank) + " spatial axes");
    if (std::any_of(list.begin(), list.end(), [&](int64_t v) { return v < lowest; }))
      return context.error(std::string(name) + " " + to_string(list) + " holds a value below " +
                           std::to_string(lowest));
    if (std::any_of(list.begin(), list.end(), [](int64_t v) { return v > kHighest; }))
      return context.error(std::string(name) + " " + to_string(list) + " holds a value above " +
                           std::to_string(kHighest));
    return ok();
  };
  LAPIS_CHECK(check(lists.kernel, "kernel_shape", rank, 1));
  LAPIS_CHECK(check(lists.strides, "strides", rank, 1));
  LAPIS_CHECK(check(lists.dilations, "dilations", rank, 1));
  LAPIS_CHECK(check(lists.pads, "pads", 2 * rank, 0));
  if (shape_problem(DType::Int64, lists.kernel))
    return context.error("kernel_shape " + to_string(lists.kernel) + " is larger than any memory");
  constexpr std::string_view kAutoPads[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
  if (std::find(std::begin(kAutoPads), std::end(kAutoPads), lists.auto_pad) == std::end(kAutoPads))
    return context.error("auto_pad is '" + lists.auto_pad + "', not one of NOTSET, VALID, SAME_UPPER, SAME_LOWER");
  return window_of(lists, rank, ceil_mode);
}

Result<Dims> positions(const InferContext& context, const Window& window, const Type& x) {
  Dims dims;
  for (size_t axis = 0; axis < window.rank(); ++axis) {
    const Dim& input = x.dim(static_cast<int64_t>(axis) + 2);
    dims.push_back(window.output(axis, input));
    if (dims.back().is_constant() && dims.back().value() < (input.is(0) ? 0 : 1))
      return context.error("the kernel " + to_string(window.kernel) + " does not fit into the padded x " +
                           x.to_string());
  }
  return dims;
}

// Offset of the element under tap `tap` at position `at`, -1 outside of the input.
static int64_t offset_of(const Window& w, std::span<const int64_t> input, const Shape& at, const Shape& tap) {
  int64_t offset = 0;
  for (size_t axis = 0; axis < w.rank(); ++axis) {
    const int64_t i = at[axis] * w.strides[axis] - w.begins[axis] + tap[axis] * w.dilations[axis];
    if (i < 0 || i >= input[axis]) return -1;
    offset = offset * input[axis] + i;
  }
  return offset;
}

std::vector<int64_t> window_offsets(const Window& w, std::span<const int64_t> input, std::span<const int64_t> output) {
  std::vector<int64_t> offsets;
  if (element_count(output) == 0) return offsets;
  offsets.reserve(static_cast<size_t>(w.taps() * element_count(output)));
  Shape tap(w.rank(), 0), at(w.rank(), 0);
  do {
    do offsets.push_back(offset_of(w, input, at, tap));
    while (next_index(at, output));
  } while (next_index(tap, w.kernel));
  return offsets;
}

}  // namespace lapis::ops
