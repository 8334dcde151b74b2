#include "codegen/kernels/constants.h"

#include <algorithm>

#include "base/hash.h"
#include "runtime/abi.h"

namespace lapis::kernels {

bool ConstantPool::holds(const Place& place, std::span<const uint8_t> bytes) const {
  const auto known = std::span(plan_.constants).subspan(static_cast<size_t>(place.offset));
  return place.bytes == static_cast<int64_t>(bytes.size()) && std::equal(bytes.begin(), bytes.end(), known.begin());
}

int64_t ConstantPool::add(std::span<const uint8_t> bytes) {
  Hasher content;
  content.add_bytes(bytes.data(), bytes.size());
  const auto [first, last] = known_.equal_range(content.value());
  for (auto at = first; at != last; ++at)
    if (holds(at->second, bytes)) return at->second.offset;
  constexpr auto kAlignment = static_cast<size_t>(abi::kAlignment);
  plan_.constants.resize((plan_.constants.size() + kAlignment - 1) / kAlignment * kAlignment);
  const auto offset = static_cast<int64_t>(plan_.constants.size());
  plan_.constants.insert(plan_.constants.end(), bytes.begin(), bytes.end());
  known_.emplace(content.value(), Place{offset, static_cast<int64_t>(bytes.size())});
  return offset;
}

}  // namespace lapis::kernels
