#include "codegen/object/routine_assembly.h"

#include <algorithm>
#include <cctype>

namespace lapis {
namespace {

constexpr std::string_view kEntry = "lapis_routine_";

// Makes symbols visible to others, or says who made the text.
bool is_dropped(std::string_view line) {
  const size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return true;
  line.remove_prefix(start);
  const auto begins = [&](std::string_view directive) { return line.starts_with(directive); };
  return begins(".globl") || begins(".hidden") || begins(".file") || begins(".ident") || begins(".addrsig") ||
         begins(".section\t.note") || begins(".section\t\".note");
}

bool continues_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

// `.L4`, `_ZN5lapis...` and the entry, each as it would be called with the prefix.
std::string renamed(std::string_view line, const std::string& prefix) {
  std::string result;
  while (!line.empty()) {
    const bool begins = result.empty() || !continues_name(result.back());
    if (begins && line.starts_with(".L")) {
      result += ".L" + prefix + "_";
      line.remove_prefix(2);
    } else if (begins && (line.starts_with("_Z") || line.starts_with(kEntry))) {
      result += prefix + "_";
      if (line.starts_with(kEntry)) line.remove_prefix(std::string_view("lapis_").size());
    }
    result += line[0];
    line.remove_prefix(1);
  }
  return result;
}

}  // namespace

std::optional<std::string> routine_assembly(std::string_view routine, const std::string& prefix) {
  const std::span<const RoutineText> all = routine_texts();
  const auto found = std::ranges::find(all, routine, &RoutineText::name);
  if (found == all.end()) return std::nullopt;
  std::string result;
  for (std::string_view text = found->assembly; !text.empty();) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!is_dropped(line)) result += renamed(line, prefix) + "\n";
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return result + ".text\n";
}

}  // namespace lapis
