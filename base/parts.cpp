#include "base/parts.h"

#include <algorithm>
#include <cstring>

namespace lapis {

uint64_t Parts::append(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  const uint64_t offset = (size() + kAlignment - 1) / kAlignment * kAlignment;
  parts_.push_back({offset, bytes, std::move(owner)});
  return offset;
}

const Parts::Part* Parts::find(uint64_t offset) const {
  const auto next = std::ranges::upper_bound(parts_, offset, {}, &Part::offset);
  return next == parts_.begin() ? nullptr : &*std::prev(next);
}

bool Parts::holds(uint64_t offset, uint64_t bytes) const {
  const Part* part = find(offset);
  return part && offset <= part->end() && bytes <= part->end() - offset;
}

const std::byte* Parts::at(uint64_t offset) const {
  return holds(offset, 0) ? find(offset)->bytes.data() + (offset - find(offset)->offset) : nullptr;
}

void Parts::copy(uint64_t offset, std::span<std::byte> to) const {
  std::ranges::fill(to, std::byte{0});
  const uint64_t end = offset + to.size();
  const Part* const first = find(offset);
  for (const Part* part = first ? first : parts_.data(); part != parts_.data() + parts_.size(); ++part) {
    if (part->offset >= end) break;
    const uint64_t from = std::max(offset, part->offset), until = std::min(end, part->end());
    if (from < until)
      std::memcpy(to.data() + (from - offset), part->bytes.data() + (from - part->offset), until - from);
  }
}

}  // namespace lapis
