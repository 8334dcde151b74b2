// Schedules as text.
#include <array>
#include <charconv>
#include <sstream>

#include "base/suggest.h"
#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"

namespace lapis::kernels {
namespace {

constexpr std::string_view kAny = "any";
constexpr std::array<std::string_view, 3> kOrders = {kAny, "weights", "pixels"};  // by Schedule::Order

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Result<int> row_named(const std::string& name) {
  if (name == kAny) return -1;
  std::vector<std::string> names;
  for (size_t row = 0; row < table().size(); ++row) {
    if (table()[row].name == name) return static_cast<int>(row);
    names.emplace_back(table()[row].name);
  }
  return error(ErrorKind::Usage, "there is no kernel '" + name + "'").help(suggestion(name, names));
}

template <class Number> bool read(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size() && number >= 0;
}

bool read_tile(std::string_view text, Schedule& s) {
  const size_t by = text.find('x');
  return by != std::string_view::npos && read(text.substr(0, by), s.mr) && read(text.substr(by + 1), s.nr);
}

bool read_order(std::string_view text, Schedule& s) {
  for (size_t i = 0; i < kOrders.size(); ++i)
    if (kOrders[i] == text) return s.order = static_cast<Schedule::Order>(i), true;
  return false;
}

}  // namespace

std::string to_string(const Schedule& s) {
  std::string text(s.row < 0 ? kAny : name_of_row(s.row)), open;
  auto add = [&](const std::string& word, bool is_open) {
    open += " " + word;
    if (!is_open) text += std::exchange(open, {});
  };
  add(std::to_string(s.mr) + "x" + std::to_string(s.nr), s.mr == 0 && s.nr == 0);
  add(std::string(kOrders[static_cast<size_t>(s.order)]), s.order == Schedule::Order::Any);
  add(std::to_string(s.splits), s.splits == 0);
  return text;
}

Result<Schedule> parse_schedule(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  const auto malformed = [&](const std::string& what) {
    return error(ErrorKind::Usage, "the schedule '" + std::string(text) + "' " + what)
        .help(
            "write a kernel, a tile, what is the outer loop and in how many runs pixels are cut, as in "
            "conv_u8s8_avx512vnni 6x4 weights 12; what is left out is chosen");
  };
  if (words.empty() || words.size() > 4) return malformed("is not one to four words");
  Schedule s;
  LAPIS_TRY(s.row, row_named(words[0]));
  if (words.size() > 1 && !read_tile(words[1], s)) return malformed("has no tile '" + words[1] + "'");
  if (words.size() > 2 && !read_order(words[2], s)) return malformed("has no order '" + words[2] + "'");
  if (words.size() > 3 && !read(words[3], s.splits)) return malformed("has no number '" + words[3] + "'");
  return s;
}

}  // namespace lapis::kernels
