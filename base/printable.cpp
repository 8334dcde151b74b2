#include "base/printable.h"

#include <cstdint>
#include <cstdio>

namespace lapis {
namespace {

// A character of UTF-8 and how many bytes it has; no bytes: what is there is not UTF-8.
struct Character {
  uint32_t code = 0;
  size_t bytes = 0;
};

size_t expected_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

Character decode(std::string_view text) {
  constexpr uint32_t kFirstBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07}, kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  const size_t bytes = expected_bytes(static_cast<unsigned char>(text[0]));
  if (bytes == 0 || bytes > text.size()) return {};
  uint32_t code = static_cast<unsigned char>(text[0]) & kFirstBits[bytes];
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return {};
    code = code << 6 | (next & 0x3F);
  }
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return code < kLowest[bytes] || code > 0x10FFFF || surrogate ? Character{} : Character{code, bytes};
}

// Controls of C1, separators of lines and paragraphs, marks of direction, the byte order mark.
bool hidden(uint32_t code) {
  return (code >= 0x80 && code < 0xA0) || (code >= 0x200B && code < 0x2010) || (code >= 0x2028 && code < 0x202F) ||
         (code >= 0x2060 && code < 0x2070) || code == 0xFEFF || code == 0x061C;
}

std::string formatted(const char* format, unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string escaped(uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return formatted(code < 0x80 ? "\\x%02X" : "\\u{%04X}", code);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    if (c.bytes == 0)
      result += formatted("\\x%02X", static_cast<unsigned char>(text[0]));
    else if (c.code < 0x20 || c.code == 0x7F || hidden(c.code))
      result += escaped(c.code);
    else
      result += text.substr(0, c.bytes);
    text.remove_prefix(c.bytes == 0 ? 1 : c.bytes);
  }
  return result;
}

std::string_view cut(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace lapis
