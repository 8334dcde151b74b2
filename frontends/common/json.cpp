#include "frontends/common/json.h"

namespace lapis::frontend {
namespace {

constexpr int kMostDepth = 100;

const Json::array_t kNoElements;
const Json::object_t kNoMembers;

// Brackets within each other, of text that need not be JSON.
int depth_of(std::string_view text) {
  int depth = 0, most = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '[' || c == '{') most = std::max(most, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return most;
}

}  // namespace

Result<Json> parse_json(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (depth_of(text) > kMostDepth)
    return error(ErrorKind::Input, "its brackets are nested more than " + std::to_string(kMostDepth) + " deep");
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    return error(ErrorKind::Input, "the text stops being JSON at byte " + std::to_string(e.byte))
        .help("copy or export the model again");
  } catch (const Json::exception&) {
    return error(ErrorKind::Input, "the text has numbers that no number type holds")
        .help("copy or export the model again");
  }
}

const Json* member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

const Json::array_t& elements(const Json& list) {
  const auto* found = list.get_ptr<const Json::array_t*>();
  return found ? *found : kNoElements;
}

const Json::array_t& elements(const Json& object, std::string_view name) {
  const Json* found = member(object, name);
  return found ? elements(*found) : kNoElements;
}

const Json::object_t& members(const Json& object, std::string_view name) {
  const Json* found = member(object, name);
  const auto* all = found ? found->get_ptr<const Json::object_t*>() : nullptr;
  return all ? *all : kNoMembers;
}

std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::string text(const Json& object, std::string_view name) {
  const Json* found = member(object, name);
  return found ? text(*found) : "";
}

std::optional<int64_t> integer(const Json& value) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  return fits ? std::optional(value.get<int64_t>()) : std::nullopt;
}

std::optional<double> number(const Json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

}  // namespace lapis::frontend
