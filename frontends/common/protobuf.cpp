#include "frontends/common/protobuf.h"

#include <bit>
#include <cstring>

namespace lapis::frontend {

float ProtoField::as_float() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }
double ProtoField::as_double() const { return std::bit_cast<double>(value); }

std::optional<ProtoField> ProtoReader::next() {
  if (flawed_ || at_ == bytes_.size()) return std::nullopt;
  auto field = read();
  flawed_ = !field;
  return field;
}

std::optional<ProtoField> ProtoReader::read() {
  const auto key = varint();
  if (!key || *key >> 3 == 0) return std::nullopt;
  ProtoField field{*key >> 3, *key & 7, 0, {}};
  const bool is_fixed = field.wire_type == ProtoField::Fixed64 || field.wire_type == ProtoField::Fixed32;
  if (!is_fixed && field.wire_type != ProtoField::Varint && field.wire_type != ProtoField::Bytes) return std::nullopt;
  const auto value = is_fixed ? fixed(field.wire_type == ProtoField::Fixed64 ? 8 : 4) : varint();
  if (!value) return std::nullopt;
  field.value = *value;
  if (!field.has_bytes()) return field;
  if (*value > bytes_.size() - at_) return std::nullopt;
  field.bytes = bytes_.substr(at_, *value);
  at_ += *value;
  return field;
}

std::optional<uint64_t> ProtoReader::varint() {
  constexpr int kBits = 64;
  uint64_t value = 0;
  for (int shift = 0; shift < kBits && at_ < bytes_.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<uint64_t> ProtoReader::fixed(size_t width) {
  if (width > bytes_.size() - at_) return std::nullopt;
  uint64_t value = 0;
  std::memcpy(&value, bytes_.data() + at_, width);
  at_ += width;
  return value;
}

bool append_numbers(const ProtoField& field, ProtoField::Wire wire, std::vector<uint64_t>& numbers) {
  if (!field.has_bytes()) {
    numbers.push_back(field.value);
    return field.wire_type == wire;
  }
  std::string_view rest = field.bytes;
  if (wire == ProtoField::Varint) {
    uint64_t value = 0;
    int shift = 0;
    for (const char c : rest) {
      const auto byte = static_cast<unsigned char>(c);
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      shift += 7;
      if (byte >= 0x80) continue;
      numbers.push_back(value);
      value = 0;
      shift = 0;
    }
    return shift == 0;
  }
  const size_t width = wire == ProtoField::Fixed64 ? 8 : 4;
  for (; rest.size() >= width; rest.remove_prefix(width)) {
    uint64_t value = 0;
    std::memcpy(&value, rest.data(), width);
    numbers.push_back(value);
  }
  return rest.empty();
}

void append_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

}  // namespace lapis::frontend
