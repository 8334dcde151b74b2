// Options of passes: a struct whose fields are listed once.
// `lapis opt --passes "fold-constants{growth=0}"` sets them by name.
//
//   struct FoldOptions {
//     int64_t growth = 256 * 1024;
//     static constexpr auto fields = std::tuple(option("growth", &FoldOptions::growth, "bytes that ...", 0));
//   };
//   Status fold_constants(Graph& graph, const FoldOptions& options, PassContext& context);
//   Pass p = pass<FoldOptions>("fold-constants", "no pure node has constant operands only", fold_constants);
//
// A field is an int64_t within bounds or a bool.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/check.h"

namespace lapis {

using Options = std::map<std::string, std::string, std::less<>>;  // by name, as written

template <class Struct, class T> struct OptionField {
  std::string_view name;
  T Struct::*member;
  std::string_view doc;
  int64_t lowest, highest;
};
template <class Struct, class T>
constexpr OptionField<Struct, T> option(std::string_view name, T Struct::*member, std::string_view doc,
                                        int64_t lowest = std::numeric_limits<int64_t>::min(),
                                        int64_t highest = std::numeric_limits<int64_t>::max()) {
  return {name, member, doc, lowest, highest};
}

// One option of a pass, for listing and checking it.
struct OptionDef {
  std::string name, doc, fallback;
  std::string wanted;  // "a whole number from 0 on"
  std::function<bool(std::string_view)> accepts;
};

namespace detail {
std::optional<int64_t> read_option(std::string_view text, int64_t lowest, int64_t highest);
std::optional<bool> read_option(std::string_view text);
std::string wanted_number(int64_t lowest, int64_t highest);

template <class Struct> std::optional<int64_t> read(const OptionField<Struct, int64_t>& f, std::string_view text) {
  return read_option(text, f.lowest, f.highest);
}
template <class Struct> std::optional<bool> read(const OptionField<Struct, bool>&, std::string_view text) {
  return read_option(text);
}
template <class Struct> OptionDef define(const OptionField<Struct, int64_t>& f) {
  return {std::string(f.name), std::string(f.doc), std::to_string(Struct().*f.member),
          wanted_number(f.lowest, f.highest), [f](std::string_view text) { return read(f, text).has_value(); }};
}
template <class Struct> OptionDef define(const OptionField<Struct, bool>& f) {
  return {std::string(f.name), std::string(f.doc), Struct().*f.member ? "true" : "false", "true or false",
          [f](std::string_view text) { return read(f, text).has_value(); }};
}
}  // namespace detail

template <class T> std::vector<OptionDef> options_of() {
  return std::apply([](const auto&... f) { return std::vector<OptionDef>{detail::define(f)...}; }, T::fields);
}

// The struct with what is set; options that were checked against options_of<T>().
template <class T> T decode_options(const Options& options) {
  T result;
  const auto decode = [&](const auto& f) {
    const auto it = options.find(f.name);
    if (it == options.end()) return;
    const auto value = detail::read(f, it->second);
    LAPIS_ASSERT(value.has_value(), "option '" << f.name << "' cannot be '" << it->second << "'");
    result.*f.member = *value;
  };
  std::apply([&](const auto&... f) { (decode(f), ...); }, T::fields);
  return result;
}

}  // namespace lapis
