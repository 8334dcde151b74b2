// Protobuf's wire format, as far as one can walk through it without knowing what the fields mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lapis::onnx_frontend {

// Where a field lies. Of one that has a length (strings, bytes, messages) also where
// that is written and what it is the length of.
struct WireField {
  uint64_t number = 0;
  bool has_length = false;
  size_t begin = 0, length = 0, content = 0, end = 0;
};

// Keys, numbers and lengths.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes, size_t at = 0) : bytes_(bytes), at_(at) {}
  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && left() > 0; shift += 7) {
      const auto byte = std::to_integer<uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }
  bool skip(uint64_t bytes) {
    if (bytes > left()) return false;
    at_ += bytes;
    return true;
  }
  // A value that is no message, by its wire type; groups are not known to ONNX.
  bool skip_value(uint64_t wire_type) {
    if (wire_type == 0) return varint().has_value();
    return wire_type == 1 ? skip(8) : wire_type == 5 && skip(4);
  }
  // The next field, if it is whole.
  std::optional<WireField> field() {
    WireField field;
    field.begin = at_;
    const auto key = varint();
    if (!key) return std::nullopt;
    field.number = *key >> 3;
    field.has_length = (*key & 7) == 2;
    field.length = at_;
    const auto length = field.has_length ? varint() : std::optional<uint64_t>(0);
    field.content = at_;
    if (!length || !(field.has_length ? skip(*length) : skip_value(*key & 7))) return std::nullopt;
    field.end = at_;
    return field;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_;
};

}  // namespace lapis::onnx_frontend
