#include "tools/lapis/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace lapis::cli {

Check one_of(std::vector<std::string> words) {
  const std::string list = fmt::format("{{{}}}", fmt::join(words, ","));
  return {list, [=](const std::string& text) {
            const bool known = std::find(words.begin(), words.end(), text) != words.end();
            return known ? std::string() : text + " not in " + list;
          }};
}

// The whole text as a number from `low` to `high`; CLI11's own range lets NaN pass.
template <class T> static Check between(T low, T high, const char* kind) {
  const std::string range = fmt::format("{} from {} to {}", kind, low, high);
  return {range, [=](const std::string& text) {
            T value = 0;
            const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool whole = failed == std::errc() && end == text.data() + text.size();
            return whole && value >= low && value <= high ? std::string() : text + " is not " + range;
          }};
}
Check integer_between(int64_t low, int64_t high) { return between(low, high, "an integer"); }
Check at_least(int64_t low) { return integer_between(low, std::numeric_limits<int64_t>::max()); }
Check number_between(double low, double high) { return between(low, high, "a number"); }

Argument& Argument::required() {
  option_->required();
  return *this;
}
Argument& Argument::optional() {
  option_->required(false);
  return *this;
}
Argument& Argument::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}
Argument& Argument::capture_default_str() {
  option_->capture_default_str();
  return *this;
}
Argument& Argument::delimiter(char separator) {
  option_->delimiter(separator);
  return *this;
}
Argument& Argument::check(const Check& check) {
  option_->check(check.fault, check.expected);
  return *this;
}
Argument& Argument::excludes(const Argument& other) {
  option_->excludes(other.option_);
  return *this;
}

template <class T> Argument Arguments::add_option(const std::string& names, T& into, const std::string& help) {
  return Argument(verb_.add_option(names, into, help));
}
#define LAPIS_ARGUMENT(...) \
  template Argument Arguments::add_option(const std::string&, __VA_ARGS__&, const std::string&);
LAPIS_ARGUMENT(int)
LAPIS_ARGUMENT(int64_t)
LAPIS_ARGUMENT(double)
LAPIS_ARGUMENT(std::string)
LAPIS_ARGUMENT(std::optional<int>)
LAPIS_ARGUMENT(std::optional<double>)
LAPIS_ARGUMENT(std::optional<std::string>)
LAPIS_ARGUMENT(std::vector<int64_t>)
LAPIS_ARGUMENT(std::vector<std::string>)
#undef LAPIS_ARGUMENT

Argument Arguments::add_flag(const std::string& names, bool& into, const std::string& help) {
  return Argument(verb_.add_flag(names, into, help));
}
void Arguments::footer(const std::string& text) { verb_.footer(text); }

}  // namespace lapis::cli
