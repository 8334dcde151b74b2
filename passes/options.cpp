#include "passes/options.h"

#include <charconv>

namespace lapis::detail {

std::optional<int64_t> read_option(std::string_view text, int64_t lowest, int64_t highest) {
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failure == std::errc() && end == text.data() + text.size();
  return whole && value >= lowest && value <= highest ? std::optional(value) : std::nullopt;
}

std::optional<bool> read_option(std::string_view text) {
  if (text == "true") return true;
  return text == "false" ? std::optional(false) : std::nullopt;
}

std::string wanted_number(int64_t lowest, int64_t highest) {
  std::string text = "a whole number";
  if (lowest != std::numeric_limits<int64_t>::min()) text += " from " + std::to_string(lowest) + " on";
  if (highest != std::numeric_limits<int64_t>::max()) text += " up to " + std::to_string(highest);
  return text;
}

}  // namespace lapis::detail
