#include <algorithm>
#include <cstring>

#include "codegen/plan.h"

namespace lapis {
namespace {

// to[c][r] = from[r][c], a square at a time, so that lines of both are used while they are near.
template <class T> void turn(const T* from, T* to, int64_t rows, int64_t columns) {
  constexpr int64_t kSide = 64;
  for (int64_t top = 0; top < rows; top += kSide)
    for (int64_t left = 0; left < columns; left += kSide)
      for (int64_t c = left; c < std::min(left + kSide, columns); ++c)
        for (int64_t r = top; r < std::min(top + kSide, rows); ++r) to[c * rows + r] = from[r * columns + c];
}

template <class T> void turn_all(const Tensor& from, Tensor& to, int64_t rows, int64_t columns) {
  const auto* source = reinterpret_cast<const T*>(from.raw());
  auto* target = reinterpret_cast<T*>(to.mutable_raw());
  for (int64_t at = 0; at < from.size(); at += rows * columns) turn(source + at, target + at, rows, columns);
}

}  // namespace

Tensor Weights::in_order() const {
  if (rows == 1 || columns == 1 || size() == 0) return source.reshaped(shape);
  Tensor ordered(source.dtype(), shape);
  switch (bit_width(source.dtype())) {
    case 8: turn_all<uint8_t>(source, ordered, rows, columns); break;
    case 16: turn_all<uint16_t>(source, ordered, rows, columns); break;
    case 32: turn_all<uint32_t>(source, ordered, rows, columns); break;
    default: LAPIS_UNREACHABLE("weights of " << name_of(source.dtype()));
  }
  return ordered;
}

}  // namespace lapis
