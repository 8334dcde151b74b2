// Numbers and bytes of a part of an HDF5 file, one behind the other.
// What lies behind the end is 0 or nothing, and flawed() says so afterwards.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace lapis::keras_frontend {

class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  // Little-endian, of up to 8 bytes.
  uint64_t number(size_t width) {
    uint64_t value = 0;
    const std::string_view bytes = take(width);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) {
      flawed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  void skip(uint64_t count) { take(count); }
  std::string_view rest() const { return rest_; }
  bool flawed() const { return flawed_; }

 private:
  std::string_view rest_;
  bool flawed_ = false;
};

// Bytes of the file; nullopt if they are not there.
inline std::optional<std::string_view> part_of(std::string_view file, uint64_t address, uint64_t size) {
  if (address > file.size() || size > file.size() - address) return std::nullopt;
  return file.substr(address, size);
}

}  // namespace lapis::keras_frontend
