#include "frontends/mxnet/literal.h"

#include <charconv>
#include <cmath>

namespace lapis::mxnet_frontend {
namespace {

using frontend::SourceAttribute;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

template <class T> std::optional<T> whole_number(std::string_view text) {
  T value{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = !text.empty() && failed == std::errc() && end == text.data() + text.size();
  return is_whole ? std::optional(value) : std::nullopt;
}

// "1", "1L" as Python 2 wrote it, "None".
std::optional<int64_t> integer(std::string_view text) {
  if (text == "None") return kNone;
  if (text.ends_with('L')) text.remove_suffix(1);
  return whole_number<int64_t>(text);
}

// What stands between the brackets of a list or tuple.
std::optional<std::string_view> inside(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const bool is_list = (text.front() == '(' && text.back() == ')') || (text.front() == '[' && text.back() == ']');
  return is_list ? std::optional(trimmed(text.substr(1, text.size() - 2))) : std::nullopt;
}

template <class T> using ParseOne = std::optional<T> (*)(std::string_view);

template <class T> std::optional<std::vector<T>> list_of(std::string_view items, ParseOne<T> parse) {
  std::vector<T> values;
  while (!items.empty()) {
    const size_t comma = std::min(items.find(','), items.size());
    const auto value = parse(trimmed(items.substr(0, comma)));
    if (!value) return std::nullopt;
    values.push_back(*value);
    items = trimmed(items.substr(std::min(comma + 1, items.size())));
  }
  return values;
}

}  // namespace

std::optional<SourceAttribute> parse_literal(std::string_view written) {
  const std::string_view text = trimmed(written);
  if (text == "None") return std::nullopt;
  if (text == "True" || text == "true") return SourceAttribute(true);
  if (text == "False" || text == "false") return SourceAttribute(false);
  if (const auto items = inside(text)) {
    if (const auto values = list_of<int64_t>(*items, integer)) return SourceAttribute(*values);
    if (const auto values = list_of<double>(*items, whole_number<double>)) return SourceAttribute(*values);
  }
  if (const auto value = integer(text)) return SourceAttribute(*value);
  if (const auto value = whole_number<double>(text)) return SourceAttribute(*value);
  return SourceAttribute(std::string(written));
}

}  // namespace lapis::mxnet_frontend
