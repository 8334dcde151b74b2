// Tensors over bytes of a file, which are borrowed instead of copied where that is worth it.
#pragma once

#include <cstring>

#include "base/tensor.h"

namespace lapis::frontend {

// Whether a Tensor can lie over foreign bytes; they are copied if few or badly aligned.
inline bool can_borrow(const std::byte* bytes, int64_t size) {
  constexpr int64_t kWorthBorrowing = 4096;
  constexpr uintptr_t kAlignment = 16;
  return size >= kWorthBorrowing && reinterpret_cast<uintptr_t>(bytes) % kAlignment == 0;
}

inline Tensor over_bytes(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes) {
  const int64_t size = byte_size(dtype, element_count(shape));
  if (can_borrow(bytes.get(), size)) return Tensor(dtype, std::move(shape), std::move(bytes));
  Tensor tensor(dtype, std::move(shape));
  if (size > 0) std::memcpy(tensor.mutable_raw(), bytes.get(), static_cast<size_t>(size));
  return tensor;
}

}  // namespace lapis::frontend
