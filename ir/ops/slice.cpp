// Slice and Pad: a window of the input, and the input within a larger window.
#include <algorithm>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- Slice ---------------------------------------------------------------------------------------------------------

struct Window {
  int64_t start, step, count;
};

// Negative positions count from the end; positions outside of the axis are moved to its border.
Window clamped(int64_t size, int64_t start, int64_t end, int64_t step) {
  if (size == 0) return {0, step, 0};
  if (start < 0) start += size;
  if (end < 0) end += size;
  const bool forward = step > 0;
  start = std::clamp<int64_t>(start, 0, forward ? size : size - 1);
  end = std::clamp<int64_t>(end, forward ? 0 : -1, forward ? size : size - 1);
  const int64_t distance = forward ? end - start : start - end;
  if (distance <= 0) return {start, step, 0};
  return {start, step, forward ? (distance - 1) / step + 1 : (1 - distance) / step + 1};
}

// No axis is longer: exporters write such numbers for "to the end".
constexpr int64_t kEndless = INT32_MAX;

Dim from_end(const Dim& position, const Dim& size) {
  return position.is_constant() && position.value() < 0 ? size + position : position;
}

// Where a forward slice of a symbolic axis ends; unknown where neither `end` nor the border is the smaller one for
// sure. A symbolic end of a constant axis is taken to lie within: "the first S of 512 positions" is written that way.
Dim end_position(const Dim& size, const Dim& end) {
  if (end.is_constant() && end.value() >= kEndless) return size;
  if (end.is_constant() && end.value() < 0) return size + end;
  if ((size - end).never_negative()) return end;
  if ((end - size).never_negative()) return size;
  return size.is_constant() ? end : Dim::unknown();
}

bool at_most(const Dim& d, int64_t most) { return d.is_constant() && d.value() <= most; }
bool at_least(const Dim& d, int64_t least) { return d.is_constant() && d.value() >= least; }

// A forward slice that begins behind any axis, or ends before it.
bool takes_nothing(const Dim& start, const Dim& end) { return at_least(start, kEndless) || at_most(end, -kEndless); }

// Of a whole axis; what a part of a symbolic one has is not known.
Dim reversed_size(const Dim& size, const Dim& start, const Dim& end, int64_t step) {
  const bool whole = (start.is(-1) || at_least(start, kEndless)) && at_most(end, -kEndless);
  return whole && step != INT64_MIN ? ceil_div(size, Dim(-step)) : Dim::unknown();
}

// How many elements a slice has. A start counted from the front is taken to lie within a symbolic axis, which the
// formula shows to be wrong by a negative number (bind_shapes starts anew then); one counted from the end must do so
// for sure.
Dim sliced_size(const Dim& size, const Dim& start, const Dim& end, const Dim& step) {
  if (!step.is_constant() || !size.is_known()) return Dim::unknown();
  if (size.is_constant() && start.is_constant() && end.is_constant())
    return clamped(size.value(), start.value(), end.value(), step.value()).count;
  if (step.value() < 0) return reversed_size(size, start, end, step.value());
  if (takes_nothing(start, end)) return 0;
  const Dim first = at_most(start, -kEndless) ? Dim(0) : from_end(start, size);
  if (at_most(start, -1) && !first.is_constant() && !first.never_negative())
    return Dim::unknown();  // min(size, -start)
  const Dim count = ceil_div(end_position(size, end) - first, step);
  return count.is_constant() && count.value() < 0 ? Dim(0) : count;
}

template <class Context>
Result<std::vector<int64_t>> slice_axes(const Context& c, size_t count, int64_t rank,
                                        const std::optional<std::vector<int64_t>>& given) {
  std::vector<int64_t> axes = given ? *given : arithmetic_sequence(0, 1, static_cast<int64_t>(count));
  if (axes.size() != count)
    return c.error("starts names " + std::to_string(count) + " axes but axes " + std::to_string(axes.size()));
  return checked_axes(c, std::move(axes), rank);
}

Status check_lengths(const InferContext& c) {
  for (size_t i = 1; i < 5; ++i)
    if (c.has(i) && c.in(i).ranked() && c.in(i).rank() != 1)
      return c.error("starts, ends, axes and steps are vectors, not " + c.in(i).to_string());
  const auto length = length_of(c.in(1)), end_length = length_of(c.in(2));
  if (!length) return ok();
  if (end_length && *length != *end_length) return c.error("starts and ends must have the same length");
  for (const size_t list : {size_t{1}, size_t{2}, size_t{4}})
    if (const auto known = c.contents(list); known && known->size() != static_cast<size_t>(*length))
      return c.error("starts, ends and steps must be vectors of the same length");
  return ok();
}

Result<Types> infer_slice(const InferContext& c) {
  const Type& data = c.in(0);
  if (!data.ranked()) return unranked(data.dtype);
  LAPIS_CHECK(check_lengths(c));
  const auto length = length_of(c.in(1));
  const auto starts = c.contents(1), ends = c.contents(2), steps = c.contents(4);
  const auto axes = numbers_of(c.contents(3));
  if (!length || (c.has(3) && !axes)) return of_rank(data.dtype, data.rank());  // which axes shrink is not known
  LAPIS_TRY(const std::vector<int64_t> normal, slice_axes(c, static_cast<size_t>(*length), data.rank(), axes));
  Dims dims = *data.dims;
  for (size_t i = 0; i < normal.size(); ++i) {
    Dim& d = dims[static_cast<size_t>(normal[i])];
    const Dim step = steps && i < steps->size() ? (*steps)[i] : c.has(4) ? Dim::unknown() : Dim(1);
    if (step.is(0)) return c.error("a step cannot be 0");
    d = starts && ends ? sliced_size(d, (*starts)[i], (*ends)[i], step) : Dim::unknown();
  }
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_slice(EvalContext& c) {
  const Tensor& data = c.in(0);
  const std::vector<int64_t> starts = c.in(1).as_ints(), ends = c.in(2).as_ints();
  const std::vector<int64_t> steps = c.has(4) ? c.in(4).as_ints() : std::vector<int64_t>(starts.size(), 1);
  LAPIS_TRY(const std::vector<int64_t> axes,
            slice_axes(c, starts.size(), data.rank(), c.has(3) ? std::optional(c.in(3).as_ints()) : std::nullopt));
  if (ends.size() != starts.size() || steps.size() != starts.size())
    return c.error("starts, ends and steps must have the same length");
  Offsets offsets = identity_offsets(data.shape());
  const lapis::Shape strides = row_major_strides(data.shape());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (steps[i] == 0) return c.error("a step cannot be 0");
    const auto axis = static_cast<size_t>(axes[i]);
    const Window range = clamped(data.shape()[axis], starts[i], ends[i], steps[i]);
    offsets[axis] =
        arithmetic_sequence(range.start * strides[axis], range.count > 1 ? range.step * strides[axis] : 0, range.count);
  }
  c.set_out(0, collect(data, offsets));
  return ok();
}

std::optional<Dims> propagate_slice(const InferContext& c) {
  const auto data = c.contents(0);
  const auto starts = numbers_of(c.contents(1)), ends = numbers_of(c.contents(2));
  const auto steps = c.has(4) ? numbers_of(c.contents(4)) : std::vector<int64_t>{1};
  if (!data || !starts || !ends || !steps || starts->size() != 1 || c.in(0).rank() != 1) return std::nullopt;
  const Window range = clamped(static_cast<int64_t>(data->size()), (*starts)[0], (*ends)[0], (*steps)[0]);
  Dims result;
  for (int64_t i = 0; i < range.count; ++i)
    result.push_back((*data)[static_cast<size_t>(range.start + i * range.step)]);
  return result;
}

// ---- Pad -----------------------------------------------------------------------------------------------------------

template <class Context>
Result<std::vector<int64_t>> pad_axes(const Context& c, int64_t rank, size_t pads,
                                      const std::optional<std::vector<int64_t>>& given) {
  LAPIS_TRY(std::vector<int64_t> axes, checked_axes(c, given ? *given : arithmetic_sequence(0, 1, rank), rank));
  if (pads != 2 * axes.size())
    return c.error("pads has " + std::to_string(pads) + " numbers, needed are a begin and an end for each of " +
                   std::to_string(axes.size()) + " axes");
  return axes;
}

template <class Context> Diagnostic nothing_to_repeat(const Context& c, const std::string& mode) {
  return c.error("mode '" + mode + "' has nothing to repeat: an axis is empty, or cropped to nothing");
}

template <class Context> Diagnostic too_large(const Context& c, const Dim& size, const Dim& begin, const Dim& end) {
  return c.error("pads " + begin.to_string() + " and " + end.to_string() + " make an axis of " + size.to_string() +
                 " larger than any memory");
}

Result<Dim> padded(const InferContext& c, const Dim& size, const Dim& begin, const Dim& end) {
  const std::string mode = c.attrs<PadAttrs>().mode;
  Dim result = size + begin + end;
  if (result.is_too_large()) return too_large(c, size, begin, end);
  if (result.is_constant() && result.value() < 0)
    return c.error("pads remove more of " + c.in(0).to_string() + " than there is");
  const auto cropped = [](const Dim& pad) { return pad.is_constant() && pad.value() < 0 ? pad : Dim(0); };
  const Dim kept = size + cropped(begin) + cropped(end);
  if (mode != "constant" && result.constant().value_or(0) > 0 &&
      kept.constant().value_or(kept.is_too_large() ? 0 : 1) < 1)
    return nothing_to_repeat(c, mode);
  return result;
}

Result<Types> infer_pad(const InferContext& c) {
  const Type& data = c.in(0);
  const std::string mode = c.attrs<PadAttrs>().mode;
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return c.error("mode is '" + mode + "', allowed are constant, reflect, edge and wrap");

  if (!data.ranked()) return unranked(data.dtype);
  const auto pads = c.contents(1);
  const auto axes = numbers_of(c.contents(3));
  if (!pads || (c.has(3) && !axes)) return of_rank(data.dtype, data.rank());
  LAPIS_TRY(const std::vector<int64_t> normal, pad_axes(c, data.rank(), pads->size(), axes));
  Dims dims = *data.dims;
  for (size_t i = 0; i < normal.size(); ++i) {
    Dim& d = dims[static_cast<size_t>(normal[i])];
    LAPIS_TRY(d, padded(c, d, (*pads)[i], (*pads)[i + normal.size()]));
  }
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_pad(EvalContext& c) {
  const Tensor& data = c.in(0);
  const std::string mode = c.attrs<PadAttrs>().mode;
  const std::vector<int64_t> pads = c.in(1).as_ints();
  LAPIS_TRY(const std::vector<int64_t> axes,
            pad_axes(c, data.rank(), pads.size(), c.has(3) ? std::optional(c.in(3).as_ints()) : std::nullopt));
  Offsets offsets = identity_offsets(data.shape());
  const lapis::Shape strides = row_major_strides(data.shape());
  for (size_t k = 0; k < axes.size(); ++k) {
    const auto axis = static_cast<size_t>(axes[k]);
    const int64_t size = data.shape()[axis], begin = pads[k], end = pads[k + axes.size()];
    const Dim padded = Dim(size) + begin + end;
    if (!padded.is_constant() || std::max(std::abs(begin / 2), std::abs(end / 2)) > kMaxTensorBytes)
      return too_large(c, size, begin, end);
    if (padded.value() < 0) return c.error("pads remove more of " + to_string(data.shape()) + " than there is");
    const PaddedAxis along{size, begin, end};
    if (mode != "constant" && padded.value() > 0 && along.kept() < 1) return nothing_to_repeat(c, mode);
    offsets[axis].clear();
    offsets[axis].reserve(static_cast<size_t>(std::min(padded.value(), kMaxTensorBytes)));
    for (int64_t i = -begin; i < size + end; ++i) {
      const int64_t position = padded_position(mode, i, along);
      offsets[axis].push_back(position < 0 ? kFill : position * strides[axis]);
    }
  }
  if (c.has(2) && c.in(2).size() != 1) return c.error("the constant value must be one element");
  const Tensor value = c.has(2) ? c.in(2).reshaped({}) : Tensor();
  c.set_out(0, collect(data, offsets, c.has(2) ? &value : nullptr));
  return ok();
}

}  // namespace

// Position i of `size` elements that are continued on both sides.
static int64_t continued(const std::string& mode, int64_t i, int64_t size) {
  if (mode == "edge") return std::clamp<int64_t>(i, 0, size - 1);
  if (mode == "wrap") return ((i % size) + size) % size;
  if (size == 1) return 0;
  // reflect: a walk to and fro that does not repeat the border
  const int64_t period = 2 * (size - 1), at = ((i % period) + period) % period;
  return at < size ? at : period - at;
}

int64_t padded_position(const std::string& mode, int64_t i, const PaddedAxis& axis) {
  const int64_t first = axis.first(), kept = axis.kept();
  if (i >= first && i < first + kept) return i;
  return mode == "constant" ? -1 : first + continued(mode, i - first, kept);
}

const OpDef Pad =
    op("Pad")
        .since(25)
        .doc("The input with borders: a constant, its mirror image, its edge or its repetition; negative pads crop.")
        .in("data", kAnyType, "T")
        .in("pads", types(DType::Int64))
        .optional_in("constant_value", kAnyType, "T")
        .optional_in("axes", kIndices)
        .out("output")
        .attrs<PadAttrs>()
        .infer(infer_pad)
        .evaluate(evaluate_pad)
        .traits(kMovement)
        .quant(Quant::SharedScale);

const OpDef Slice = op("Slice")
                        .since(13)
                        .doc("Every step-th element from start to before end, along the given axes.")
                        .in("data", kTensors)
                        .in("starts", kIndices, "Tind")
                        .in("ends", kIndices, "Tind")
                        .optional_in("axes", kIndices, "Tind")
                        .optional_in("steps", kIndices, "Tind")
                        .out("output", kTensors)
                        .infer(infer_slice)
                        .evaluate(evaluate_slice)
                        .propagate(propagate_slice)
                        .traits(kMovement)
                        .quant(Quant::SharedScale);

}  // namespace lapis::ops
