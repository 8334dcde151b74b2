#include "base/truth.h"

#include <algorithm>

namespace lapis {

Tensor with_truth_values(Tensor tensor) {
  if (tensor.dtype() != DType::Bool || tensor.bytes() == 0) return tensor;
  const std::span<const std::byte> bytes(tensor.raw(), static_cast<size_t>(tensor.bytes()));
  if (std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b <= std::byte{1}; })) return tensor;
  std::byte* to = tensor.mutable_raw();
  std::transform(to, to + tensor.bytes(), to, [](std::byte b) { return b == std::byte{0} ? b : std::byte{1}; });
  return tensor;
}

}  // namespace lapis
