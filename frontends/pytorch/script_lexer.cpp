#include "frontends/pytorch/script_lexer.h"

#include <algorithm>
#include <cctype>

namespace lapis::pytorch_frontend {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    while (at_ < text_.size()) {
      if (begins_line_ && depth_ == 0)
        indent();
      else
        LAPIS_CHECK(next());
    }
    if (!tokens_.empty() && tokens_.back().kind != Token::Kind::LineEnd) add(Token::Kind::LineEnd, "");
    for (; levels_.size() > 1; levels_.pop_back()) add(Token::Kind::Dedent, "");
    add(Token::Kind::End, "");
    return std::move(tokens_);
  }

 private:
  void add(Token::Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  char at(size_t offset = 0) const { return at_ + offset < text_.size() ? text_[at_ + offset] : '\0'; }

  // Blanks in front of a line open and close blocks; lines with nothing else do not.
  void indent() {
    size_t width = 0;
    while (at() == ' ') ++at_, ++width;
    if (at() == '\n' || at() == '#' || at_ >= text_.size()) {
      begins_line_ = false;
      return;
    }
    begins_line_ = false;
    if (width > levels_.back()) {
      levels_.push_back(width);
      add(Token::Kind::Indent, "");
    }
    for (; width < levels_.back(); levels_.pop_back()) add(Token::Kind::Dedent, "");
  }

  Status next() {
    const char c = at();
    if (c == '\n') return end_line();
    if (c == ' ' || c == '\t' || c == '\r' || c == '\\') return ++at_, ok();
    if (c == '#') return comment();
    if (c == '"' || c == '\'') return string(c);
    if (is_digit(c) || (c == '.' && is_digit(at(1)))) return number();
    if (is_word(c)) return word();
    return sign(c);
  }

  Status end_line() {
    if (depth_ == 0 && !tokens_.empty() && tokens_.back().kind != Token::Kind::LineEnd &&
        tokens_.back().kind != Token::Kind::Indent && tokens_.back().kind != Token::Kind::Dedent)
      add(Token::Kind::LineEnd, "");
    ++line_, ++at_;
    begins_line_ = depth_ == 0;
    return ok();
  }

  Status comment() {
    while (at_ < text_.size() && at() != '\n') ++at_;
    return ok();
  }

  Status string(char quote) {
    std::string value;
    for (++at_; at() != quote; ++at_) {
      if (at_ >= text_.size() || at() == '\n')
        return error(ErrorKind::Input, "line " + std::to_string(line_) + ": a string has no end");
      if (at() == '\\') ++at_;
      value += at();
    }
    ++at_;
    add(Token::Kind::String, std::move(value));
    return ok();
  }

  Status number() {
    const size_t begin = at_;
    while (is_word(at()) || at() == '.' ||
           ((at() == '+' || at() == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))
      ++at_;
    add(Token::Kind::Number, std::string(text_.substr(begin, at_ - begin)));
    return ok();
  }

  Status word() {
    const size_t begin = at_;
    while (is_word(at())) ++at_;
    add(Token::Kind::Name, std::string(text_.substr(begin, at_ - begin)));
    return ok();
  }

  Status sign(char c) {
    constexpr std::string_view kSigns = "()[]{}.,:=-<>+*/%|&^~@!";
    if (kSigns.find(c) == std::string_view::npos)
      return error(ErrorKind::Input, "line " + std::to_string(line_) + ": the character " +
                                         std::to_string(static_cast<unsigned char>(c)) + " means nothing");
    depth_ += c == '(' || c == '[' || c == '{' ? 1 : 0;
    depth_ -= (c == ')' || c == ']' || c == '}') && depth_ > 0 ? 1 : 0;
    ++at_;
    const bool is_arrow = c == '-' && at() == '>';
    if (is_arrow) ++at_;
    add(Token::Kind::Sign, is_arrow ? "->" : std::string(1, c));
    return ok();
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1, depth_ = 0;  // of brackets
  bool begins_line_ = true;
  std::vector<size_t> levels_ = {0};
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokens_of(std::string_view text) { return Lexer(text).run(); }

}  // namespace lapis::pytorch_frontend
