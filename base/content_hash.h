// A 64-bit hash of many bytes, as fast as memory is read. Stable across runs and machines; not cryptographic.
#pragma once

#include <span>

#include "base/hash.h"

namespace lapis {

// Four chains of Hasher side by side.
inline uint64_t content_hash(std::span<const std::byte> bytes) {
  Hasher lanes[4], whole;
  for (; bytes.size() >= 32; bytes = bytes.subspan(32)) {
    uint64_t words[4];
    std::memcpy(words, bytes.data(), sizeof words);
    for (int i = 0; i < 4; ++i) lanes[i].add(words[i]);
  }
  for (const Hasher& lane : lanes) whole.add(lane.value());
  whole.add_bytes(bytes.data(), bytes.size());
  return whole.value();
}

}  // namespace lapis
