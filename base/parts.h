// A range of bytes in parts that lie apart in memory, immutable and perhaps shared with others:
// the weights of a program.
//
//   Parts weights;
//   const uint64_t at = weights.append(packed->bytes(), packed);
//   weights.at(at)                                                  // the first of these bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lapis {

class Parts {
 public:
  static constexpr uint64_t kAlignment = 64;  // of offsets and of the bytes themselves
  struct Part {
    uint64_t offset;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    uint64_t end() const { return offset + bytes.size(); }
  };

  uint64_t size() const { return parts_.empty() ? 0 : parts_.back().end(); }
  const std::vector<Part>& all() const { return parts_; }

  // Behind all others, at the next aligned offset, which is returned.
  uint64_t append(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  // True if one part has all of these bytes.
  bool holds(uint64_t offset, uint64_t bytes) const;
  // The address of a byte that a part has; null if none does.
  const std::byte* at(uint64_t offset) const;
  // Bytes from `offset` on, zeros where there is no part.
  void copy(uint64_t offset, std::span<std::byte> to) const;

 private:
  const Part* find(uint64_t offset) const;  // the last one that begins there or before
  std::vector<Part> parts_;
};

}  // namespace lapis
