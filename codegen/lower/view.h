// View algebra: what Transpose, Slice, Expand and Reshape do to a View without moving a byte.
#pragma once

#include <optional>

#include "codegen/plan.h"

namespace lapis::codegen {

View row_major_view(int buffer, DType dtype, Shape shape, int64_t offset = 0);
bool is_row_major(const View& view);

View permuted(const View& view, const std::vector<int64_t>& permutation);
// Elements start, start + step, ... (count of them) along one axis; step may be negative.
View sliced(const View& view, int64_t axis, int64_t start, int64_t step, int64_t count);
// Stride 0 where the shape has 1 and the target does not; leading dimensions are added.
// Asserts that the shapes broadcast.
View broadcast_to(const View& view, const Shape& shape);
// The same elements in row-major order under another shape, if strides can say it.
std::optional<View> reshaped(const View& view, const Shape& shape);
// The byte offset of element `index` from the start of the buffer.
int64_t byte_offset(const View& view, const Shape& index);

// Calls body(index) for every index of `shape` in row-major order.
template <class Body> void for_each_index(const Shape& shape, Body&& body) {
  if (element_count(shape) == 0) return;
  Shape index(shape.size(), 0);
  while (true) {
    body(index);
    size_t axis = shape.size();
    while (axis > 0 && ++index[axis - 1] == shape[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace lapis::codegen
