#include "frontends/pytorch/expression.h"

#include <charconv>
#include <string>
#include <vector>

namespace lapis::pytorch_frontend {
namespace {

constexpr int kMostDepth = 50;

Dim combined(std::string_view function, const std::vector<Dim>& operands) {
  if (operands.size() == 2 && (function == "FloorDiv" || function == "CleanDiv"))
    return floor_div(operands[0], operands[1]);
  if (function == "Pow" && operands.size() == 2 && operands[1].is(2)) return operands[0] * operands[0];
  if (operands.empty() || (function != "Add" && function != "Mul")) return Dim::unknown();
  Dim result = operands[0];
  for (size_t i = 1; i < operands.size(); ++i) result = function == "Add" ? result + operands[i] : result * operands[i];
  return result;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Dim run() {
    Dim result = expression(0);
    return at_ == text_.size() ? result : Dim::unknown();
  }

 private:
  // NAME(operand, ..., key=value), Integer(4) or a number.
  Dim expression(int depth) {
    skip_blanks();
    const std::string_view word = take_word();
    if (depth > kMostDepth || word.empty()) return fail();
    if (!take('(')) return number(word);
    if (word == "Symbol") return symbol();
    if (word == "Integer") return integer();
    std::vector<Dim> operands;
    while (!take(')')) {
      operands.push_back(expression(depth + 1));
      if (!take(',') && !next_is(')')) return fail();
    }
    return combined(word, operands);
  }

  Dim integer() {
    skip_blanks();
    const Dim value = number(take_word());
    return take(')') ? value : fail();
  }

  // Symbol('s77', positive=True, integer=True)
  Dim symbol() {
    skip_blanks();
    if (!take('\'')) return fail();
    const std::string_view name = take_word();
    const size_t end = text_.find(')', at_);
    if (name.empty() || !take('\'') || end == std::string_view::npos) return fail();
    at_ = end + 1;
    return Dim::symbol(std::string(name));
  }

  static Dim number(std::string_view word) {
    int64_t value = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
    return failed == std::errc() && end == word.data() + word.size() && !word.empty() ? Dim(value) : Dim::unknown();
  }

  Dim fail() {
    at_ = text_.size() + 1;
    return Dim::unknown();
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool next_is(char c) {
    skip_blanks();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool take(char c) {
    if (!next_is(c)) return at_ > text_.size();  // behind a failure everything ends
    ++at_;
    return true;
  }
  std::string_view take_word() {
    const size_t begin = std::min(at_, text_.size());
    size_t end = begin;
    while (end < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_' || text_[end] == '-'))
      ++end;
    at_ = std::max(at_, end);
    return text_.substr(begin, end - begin);
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Dim parse_expression(std::string_view text) { return Parser(text).run(); }

}  // namespace lapis::pytorch_frontend
