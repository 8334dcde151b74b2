// Hasher: a fast 64-bit content hash (wyhash-like mixing of 8-byte words).
// Stable across runs and machines; not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lapis {

class Hasher {
 public:
  void add(uint64_t word) { state_ = mix(state_ ^ word, 0x9E3779B97F4A7C15ull + state_); }
  void add(std::string_view text) {
    add(text.size());
    add_bytes(text.data(), text.size());
  }
  void add_bytes(const void* data, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    add_words(bytes, size / 8);
    bytes += size / 8 * 8;
    size %= 8;
    uint64_t tail = 0;
    if (size > 0) std::memcpy(&tail, bytes, size);  // an empty range may have no address
    add(tail ^ (uint64_t{size} << 56));
  }
  // The first bytes of what add_bytes ends.
  void add_words(const void* data, size_t count) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (size_t i = 0; i < count; ++i) {
      uint64_t word;
      std::memcpy(&word, bytes + 8 * i, 8);
      add(word);
    }
  }
  uint64_t value() const { return mix(state_, 0xD6E8FEB86659FD93ull); }

 private:
  static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a | 1) * (b | 1);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^ a;
  }
  uint64_t state_ = 0xA0761D6478BD642Full;
};

std::string hex(uint64_t value);  // 16 lower-case digits

}  // namespace lapis
