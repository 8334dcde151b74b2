#include <algorithm>
#include <cstring>

#include "codegen/kernels/pack.h"

namespace lapis {
namespace {

// to[c][r] = from[r][c], a square at a time, so that lines of both are used while they are near. Rows of `from` are
// `pitch` elements apart, at whatever address.
template <class T> void turn(const std::byte* from, std::byte* to, int64_t rows, int64_t columns, int64_t pitch) {
  constexpr int64_t kSide = 64;
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  for (int64_t top = 0; top < rows; top += kSide)
    for (int64_t left = 0; left < columns; left += kSide)
      for (int64_t c = left; c < std::min(left + kSide, columns); ++c)
        for (int64_t r = top; r < std::min(top + kSide, rows); ++r)
          std::memcpy(to + (c * rows + r) * kSize, from + (r * pitch + c) * kSize, sizeof(T));
}

using Turn = void (*)(const std::byte*, std::byte*, int64_t, int64_t, int64_t);
Turn turn_of(DType type) {
  switch (bit_width(type)) {
    case 8: return turn<uint8_t>;
    case 16: return turn<uint16_t>;
    case 32: return turn<uint32_t>;
    default: LAPIS_UNREACHABLE("weights of " << name_of(type));
  }
}

bool is_in_order(const Weights& w) { return w.rows == 1 || w.columns == 1 || w.size() == 0; }

}  // namespace

Tensor Weights::in_order() const {
  if (is_in_order(*this)) return source.reshaped(shape);
  Tensor ordered(source.dtype(), shape);
  const Turn turn = turn_of(dtype());
  const int64_t matrix = rows * columns, bytes = bit_width(dtype()) / 8;
  for (int64_t at = 0; at < size(); at += matrix)
    turn(source.raw() + at * bytes, ordered.mutable_raw() + at * bytes, rows, columns, columns);
  return ordered;
}

namespace kernels {

const std::byte* OrderedChannels::of(int64_t first, int64_t count) {
  const int64_t bytes = bit_width(weights_.dtype()) / 8, per_channel = weights_.size() / channels_;
  if (is_in_order(weights_)) return weights_.source.raw() + first * per_channel * bytes;
  if (first < first_ || first + count > first_ + count_) load(first, std::max(count, kPanel));
  return window_.data() + (first - first_) * per_channel * bytes;
}

// A matrix is a channel turned, or one of its rows is an element of all channels of a group.
void OrderedChannels::load(int64_t first, int64_t count) {
  const Turn turn = turn_of(weights_.dtype());
  const int64_t bytes = bit_width(weights_.dtype()) / 8, per_channel = weights_.size() / channels_,
                matrix = weights_.rows * weights_.columns;
  first_ = first;
  count_ = std::min(count, channels_ - first);
  window_.resize(static_cast<size_t>(count_ * per_channel * bytes));
  if (matrix != per_channel) {
    LAPIS_ASSERT(weights_.rows == per_channel && weights_.columns == channels_,
                 "weights of " << weights_.rows << " x " << weights_.columns << " for " << channels_ << " channels");
    return turn(weights_.source.raw() + first * bytes, window_.data(), weights_.rows, count_, weights_.columns);
  }
  for (int64_t c = 0; c < count_; ++c)
    turn(weights_.source.raw() + (first + c) * matrix * bytes, window_.data() + c * matrix * bytes, weights_.rows,
         weights_.columns, weights_.columns);
}

}  // namespace kernels
}  // namespace lapis
