#include "codegen/lower/view.h"

namespace lapis::codegen {

View row_major_view(int buffer, DType dtype, Shape shape, int64_t offset) {
  Shape strides = row_major_strides(shape);
  return {buffer, dtype, std::move(shape), std::move(strides), offset};
}

bool is_row_major(const View& view) {
  const Shape wanted = row_major_strides(view.shape);
  for (size_t i = 0; i < wanted.size(); ++i)
    if (view.shape[i] != 1 && view.strides[i] != wanted[i]) return false;
  return true;
}

View permuted(const View& view, const std::vector<int64_t>& permutation) {
  View result = view;
  for (size_t i = 0; i < permutation.size(); ++i) {
    result.shape[i] = view.shape[static_cast<size_t>(permutation[i])];
    result.strides[i] = view.strides[static_cast<size_t>(permutation[i])];
  }
  return result;
}

View sliced(const View& view, int64_t axis, int64_t start, int64_t step, int64_t count) {
  View result = view;
  const auto a = static_cast<size_t>(axis);
  if (count > 0) result.offset += start * view.strides[a];  // a part without elements may begin behind the last one
  if (count > 1) result.strides[a] *= step;                 // otherwise the step goes nowhere and may be any number
  result.shape[a] = count;
  return result;
}

View broadcast_to(const View& view, const Shape& shape) {
  View result{view.buffer, view.dtype, shape, Shape(shape.size(), 0), view.offset};
  LAPIS_ASSERT(view.shape.size() <= shape.size(),
               "cannot broadcast " << to_string(view.shape) << " to " << to_string(shape));
  const size_t lead = shape.size() - view.shape.size();
  for (size_t i = 0; i < view.shape.size(); ++i) {
    if (view.shape[i] == 1) continue;
    LAPIS_ASSERT(view.shape[i] == shape[lead + i],
                 "cannot broadcast " << to_string(view.shape) << " to " << to_string(shape));
    result.strides[lead + i] = view.strides[i];
  }
  return result;
}

// Walks both shapes from the back: a run of old dimensions that are contiguous among themselves may be cut anew.
std::optional<View> reshaped(const View& view, const Shape& shape) {
  View result{view.buffer, view.dtype, shape, Shape(shape.size(), 0), view.offset};
  if (element_count(shape) == 0) return row_major_view(view.buffer, view.dtype, shape, view.offset);
  Shape dims, strides;  // the old view without its 1s
  for (size_t i = 0; i < view.shape.size(); ++i) {
    if (view.shape[i] == 1) continue;
    if (!dims.empty() && strides.back() == view.strides[i] * view.shape[i]) {
      dims.back() *= view.shape[i];
      strides.back() = view.strides[i];
    } else {
      dims.push_back(view.shape[i]);
      strides.push_back(view.strides[i]);
    }
  }
  size_t group = dims.size();
  int64_t left = 1, stride = 0;  // elements of the current group that are not yet handed out
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (left == 1) {
      if (group == 0) return std::nullopt;
      left = dims[--group];
      stride = strides[group];
    }
    if (left % shape[i] != 0) return std::nullopt;
    result.strides[i] = stride;
    stride *= shape[i];
    left /= shape[i];
  }
  return result;
}

int64_t byte_offset(const View& view, const Shape& index) {
  int64_t element = view.offset;
  for (size_t i = 0; i < index.size(); ++i) element += index[i] * view.strides[i];
  return element * bit_width(view.dtype) / 8;
}

}  // namespace lapis::codegen
