// Loops that the reference evaluations share: conversions to double and back, lines along an axis, index odometers.
#pragma once

#include <span>
#include <vector>

#include "base/small_float.h"
#include "ir/evaluate.h"
#include "ir/infer.h"

namespace lapis::ops {

inline int64_t normalized(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

// All elements of a numeric tensor, whatever its dtype.
std::vector<double> to_doubles(const Tensor& tensor);
// Rounds each value to `dtype` once, as Cast does: integers truncate and saturate.
Tensor from_doubles(DType dtype, Shape shape, const std::vector<double>& values);
// The same for the floats of 8 and 4 bits, whose types saturate or not.
Tensor from_doubles(DType dtype, Shape shape, const std::vector<double>& values, SmallFloatRounding rounding);
// All elements of an integer tensor; uint64 keeps its bits.
std::vector<int64_t> to_integers(const Tensor& tensor);
// Integers wrap to `dtype`, as the arithmetic of that type does; packed 4- and 2-bit types included.
Tensor from_integers(DType dtype, Shape shape, const std::vector<int64_t>& values);

// The operator Cast (cast.cpp): the one conversion between element types.
Tensor cast(const Tensor& x, DType to);

// A strided row of elements: element i is line[i].
template <class T> class Line {
 public:
  Line(T* first, int64_t stride, int64_t size) : first_(first), stride_(stride), size_(size) {}
  T& operator[](int64_t i) const { return first_[i * stride_]; }
  int64_t size() const { return size_; }

 private:
  T* first_;
  int64_t stride_, size_;
};

// Shape seen as [outer, extent, inner] around an axis.
struct AxisView {
  AxisView(std::span<const int64_t> shape, int64_t axis)
      : outer(element_count(shape.first(static_cast<size_t>(axis)))),
        extent(shape[static_cast<size_t>(axis)]),
        inner(element_count(shape.subspan(static_cast<size_t>(axis) + 1))) {}
  int64_t outer, extent, inner;
};

// Every line along `axis` (negative counts from the end), in row-major order of the other axes. A scalar is one line
// of one element.
template <class T> std::vector<Line<T>> lines_along(std::span<T> values, const Shape& shape, int64_t axis) {
  if (shape.empty()) return {Line<T>(values.data(), 1, 1)};
  const AxisView view(shape, normalized(axis, static_cast<int64_t>(shape.size())));
  std::vector<Line<T>> lines;
  lines.reserve(static_cast<size_t>(view.outer * view.inner));
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t i = 0; i < view.inner; ++i)
      lines.emplace_back(values.data() + (view.extent == 0 ? 0 : o * view.extent * view.inner + i), view.inner,
                         view.extent);
  return lines;
}
template <class T> std::vector<Line<T>> lines_along(std::vector<T>& values, const Shape& shape, int64_t axis) {
  return lines_along(std::span<T>(values), shape, axis);
}

// Steps `index` through `shape` in row-major order; false once it has wrapped around to all zeros.
bool next_index(Shape& index, std::span<const int64_t> shape);

}  // namespace lapis::ops
