// Tensors over bytes of a file, which are borrowed instead of copied where that is worth it.
#pragma once

#include <algorithm>
#include <cstring>

#include "base/pages.h"
#include "base/tensor.h"

namespace lapis::frontend {

inline constexpr int64_t kWorthBorrowing = 4096;

// Whether a Tensor can lie over foreign bytes; they are copied if few or badly aligned.
inline bool can_borrow(DType dtype, const std::byte* bytes, int64_t size) {
  const auto alignment = static_cast<uintptr_t>(std::clamp(bit_width(dtype) / 8, 1, 8));
  return size >= kWorthBorrowing && reinterpret_cast<uintptr_t>(bytes) % alignment == 0;
}

// What is copied out of a file is not kept in memory twice.
inline Tensor over_bytes(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes) {
  const int64_t size = byte_size(dtype, element_count(shape));
  if (can_borrow(dtype, bytes.get(), size)) return Tensor(dtype, std::move(shape), std::move(bytes));
  Tensor tensor(dtype, std::move(shape));
  if (size == 0) return tensor;
  std::memcpy(tensor.mutable_raw(), bytes.get(), static_cast<size_t>(size));
  let_go_of_pages({bytes.get(), static_cast<size_t>(size)});
  return tensor;
}

}  // namespace lapis::frontend
