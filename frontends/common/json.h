// JSON of foreign files: parsed within bounds, and read without surprises:
// what is missing or of another kind is absent.
//
//   LAPIS_TRY(const Json file, parse_json(bytes));
//   for (const Json& node : elements(file, "nodes")) names.push_back(text(node, "name"));
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/result.h"

namespace lapis::frontend {

using Json = nlohmann::json;

// An error says where the text stops being JSON, or that its brackets are nested too deeply.
Result<Json> parse_json(std::span<const std::byte> bytes);

// The member of an object; null if it is absent.
const Json* member(const Json& object, std::string_view name);
// A list; an empty one if it is absent or something else.
const Json::array_t& elements(const Json& object, std::string_view name);
const Json::array_t& elements(const Json& list);
// The members of an object; none if it is absent or something else.
const Json::object_t& members(const Json& object, std::string_view name);
std::string text(const Json& object, std::string_view name);  // "" if it is absent
std::string text(const Json& value);                          // "" if it is none
std::optional<int64_t> integer(const Json& value);
std::optional<double> number(const Json& value);  // integers too

}  // namespace lapis::frontend
