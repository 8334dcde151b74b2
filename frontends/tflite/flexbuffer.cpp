#include "frontends/tflite/flexbuffer.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace lapis::tflite_frontend {
namespace {

constexpr uint64_t kMostEntries = 256, kLongestKey = 256;  // so that a small file with shared keys is read in no time

enum class Type : uint8_t { Int = 1, UInt, Float, IndirectInt = 6, IndirectUInt, IndirectFloat, Map = 9, Bool = 26 };

// How a value is stored: its type, and the width of what it leads to.
struct Packed {
  Type type;
  uint64_t width;

  explicit Packed(uint64_t byte) : type(static_cast<Type>(byte >> 2)), width(uint64_t{1} << (byte & 3)) {}
};

// Nothing is read outside of the bytes: such a number is absent, and so is all that depends on it.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::optional<FlexNumbers> root() const {
    constexpr uint64_t kTail = 2;
    if (bytes_.size() < kTail) return std::nullopt;
    const auto width = unsigned_at(bytes_.size() - 1, 1), packed = unsigned_at(bytes_.size() - kTail, 1);
    if (!is_width(*width) || bytes_.size() - kTail < *width) return std::nullopt;
    const Packed type(*packed);
    const auto map = followed(bytes_.size() - kTail - *width, *width);
    return map && type.type == Type::Map ? entries(*map, type.width) : std::nullopt;
  }

 private:
  static bool is_width(uint64_t width) { return width <= sizeof(uint64_t) && std::has_single_bit(width); }

  // Before a map's values stand where its keys are, their width, and how many there are;
  // behind them a byte each says of what type they are.
  std::optional<FlexNumbers> entries(uint64_t map, uint64_t width) const {
    constexpr uint64_t kBefore = 3;
    if (map < kBefore * width) return std::nullopt;
    const auto keys = followed(map - 3 * width, width), key_width = unsigned_at(map - 2 * width, width),
               count = unsigned_at(map - width, width);
    if (!keys || !key_width || !is_width(*key_width) || !count || *count > kMostEntries) return std::nullopt;
    FlexNumbers numbers;
    for (uint64_t i = 0; i < *count; ++i) {
      const auto key = followed(*keys + i * *key_width, *key_width), packed = unsigned_at(map + *count * width + i, 1);
      const auto name = key ? text_at(*key) : std::nullopt;
      if (!name || !packed) return std::nullopt;
      if (const auto value = number(map + i * width, width, Packed(*packed))) numbers.emplace(*name, *value);
    }
    return numbers;
  }

  std::optional<double> number(uint64_t at, uint64_t width, Packed packed) const {
    switch (packed.type) {
      case Type::Int: return signed_at(at, width);
      case Type::UInt:
      case Type::Bool: return unsigned_at(at, width);
      case Type::Float: return float_at(at, width);
      case Type::IndirectInt:
      case Type::IndirectUInt:
      case Type::IndirectFloat: return indirect(followed(at, width), packed);
      case Type::Map: break;
    }
    return std::nullopt;
  }

  std::optional<double> indirect(std::optional<uint64_t> at, Packed packed) const {
    if (!at) return std::nullopt;
    if (packed.type == Type::IndirectFloat) return float_at(*at, packed.width);
    if (packed.type == Type::IndirectInt) return signed_at(*at, packed.width);
    return unsigned_at(*at, packed.width);
  }

  template <class T> std::optional<T> at(uint64_t where) const {
    if (where > bytes_.size() || sizeof(T) > bytes_.size() - where) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + where, sizeof value);
    return value;
  }

  template <class T8, class T16, class T32, class T64>
  std::optional<T64> integer_at(uint64_t where, uint64_t width) const {
    switch (width) {
      case sizeof(T8): return at<T8>(where);
      case sizeof(T16): return at<T16>(where);
      case sizeof(T32): return at<T32>(where);
      default: return at<T64>(where);
    }
  }
  std::optional<uint64_t> unsigned_at(uint64_t where, uint64_t width) const {
    return integer_at<uint8_t, uint16_t, uint32_t, uint64_t>(where, width);
  }
  std::optional<int64_t> signed_at(uint64_t where, uint64_t width) const {
    return integer_at<int8_t, int16_t, int32_t, int64_t>(where, width);
  }
  std::optional<double> float_at(uint64_t where, uint64_t width) const {
    if (width == sizeof(float)) return at<float>(where);
    return width == sizeof(double) ? at<double>(where) : std::nullopt;
  }

  // Offsets lead backwards.
  std::optional<uint64_t> followed(uint64_t where, uint64_t width) const {
    const auto offset = unsigned_at(where, width);
    return offset && *offset <= where ? std::optional(where - *offset) : std::nullopt;
  }

  std::optional<std::string> text_at(uint64_t where) const {
    std::string text;
    for (auto c = at<char>(where); c && text.size() < kLongestKey; c = at<char>(++where)) {
      if (*c == '\0') return text;
      text += *c;
    }
    return std::nullopt;
  }

  std::span<const std::byte> bytes_;
};

}  // namespace

std::optional<FlexNumbers> flex_numbers(std::span<const std::byte> bytes) { return Reader(bytes).root(); }

}  // namespace lapis::tflite_frontend
