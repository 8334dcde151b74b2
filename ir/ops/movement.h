// Moving elements without computing: the one primitive behind Slice, Transpose, Expand, Pad, Gather, ... and the
// argument checks they share.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "ir/evaluate.h"
#include "ir/infer.h"

namespace lapis::ops {

// What ONNX calls all tensor types, without the packed and 8-bit float types that only newer versions of some operators
// take.
inline constexpr TypeSet kTensors = kNumbers | types(DType::Bool, DType::String, DType::Complex64, DType::Complex128);

// Where the elements of a result come from: the element at (i0, i1, ...) is number axes[0][i0] + axes[1][i1] + ... of
// the source.
using Offsets = std::vector<std::vector<int64_t>>;
// Added to any other offset it stays negative, which means "not from the source but the fill value".
inline constexpr int64_t kFill = INT64_MIN / 1024;

// Any dtype, packed 4-bit types and strings included. `fill` is a one-element tensor of the same dtype; zero if null.
Tensor collect(const Tensor& source, const Offsets& axes, const Tensor* fill = nullptr);
// The element at flat position i of the result is source[index[i]].
Tensor pick(const Tensor& source, lapis::Shape shape, std::vector<int64_t> index, const Tensor* fill = nullptr);
// start, start + step, ... (count of them)
std::vector<int64_t> arithmetic_sequence(int64_t start, int64_t step, int64_t count);
// The identity: every axis of `shape` runs from 0 in its row-major stride.
Offsets identity_offsets(const lapis::Shape& shape);

std::optional<lapis::Shape> broadcast_shapes(const lapis::Shape& a, const lapis::Shape& b);
Tensor expand(const Tensor& source, const lapis::Shape& shape);  // shape must be a broadcast of the source's
Tensor transpose(const Tensor& source, const std::vector<int64_t>& permutation);
// An axis under Pad. Negative pads crop it first, then what is left is continued on both sides: [a b c d] with the pads
// -1 and 2 is [b c d b c] in mode "wrap".
struct PaddedAxis {
  int64_t size = 0, begin = 0, end = 0;
  int64_t first() const { return std::max<int64_t>(0, -begin); }
  int64_t kept() const { return size - first() - std::max<int64_t>(0, -end); }  // below 1: nothing is left
};
// The element that Pad puts at position i, counted from the first element of the axis; negative: the constant.
int64_t padded_position(const std::string& mode, int64_t i, const PaddedAxis& axis);
// Several tensors of one dtype behind each other.
Tensor concat(const std::vector<Tensor>& parts, int64_t axis);

// ---- arguments; Context is InferContext or EvalContext -------------------------------------------------------------

template <class Context> Result<int64_t> checked_axis(const Context& c, int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  return c.error("axis " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank));
}

// Normalised axes; an axis named twice is an error.
template <class Context>
Result<std::vector<int64_t>> checked_axes(const Context& c, std::vector<int64_t> axes, int64_t rank) {
  std::vector<bool> seen(static_cast<size_t>(rank));
  for (int64_t& axis : axes) {
    LAPIS_TRY(axis, checked_axis(c, axis, rank));
    if (seen[static_cast<size_t>(axis)]) return c.error("axis " + std::to_string(axis) + " is given twice");
    seen[static_cast<size_t>(axis)] = true;
  }
  return axes;
}

inline Dims to_dims(const lapis::Shape& shape) { return Dims(shape.begin(), shape.end()); }
inline Dims ints_of(const EvalContext& c, size_t i) { return to_dims(c.in(i).as_ints()); }
// The numbers, if all dims are numbers.
std::optional<std::vector<int64_t>> numbers_of(const std::optional<Dims>& dims);
Dim product(const Dims& dims, size_t begin = 0, size_t end = SIZE_MAX);
// An extent that was computed in floating point; too large if no tensor has it (NaN included).
Dim extent_of(double count);
// What a shape that is known only at run time may be told to be: no tensor of it is an error here, not a crash later.
template <class Context> Status check_shape(const Context& c, DType dtype, std::span<const int64_t> shape) {
  if (const auto problem = shape_problem(dtype, shape)) return c.error("the result cannot be: " + *problem);
  return ok();
}
// How many dims an integer vector of this type describes, if its length is known and a tensor can have so many.
std::optional<int64_t> length_of(const Type& vector);
inline Types unranked(DType dtype) { return {Type::tensor(dtype)}; }
inline Types of_rank(DType dtype, int64_t rank) { return {Type::tensor(dtype, Dims(static_cast<size_t>(rank)))}; }

inline constexpr Traits kMovement = Trait::Pure | Trait::Movement | Trait::ValuePreserving;

}  // namespace lapis::ops
