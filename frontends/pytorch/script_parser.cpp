#include <charconv>

#include "frontends/pytorch/script_ast.h"
#include "frontends/pytorch/script_lexer.h"

namespace lapis::pytorch_frontend {
namespace {

constexpr int kMostDepth = 100;  // of brackets and blocks

class Parser {
 public:
  Parser(std::vector<Token> tokens, const std::string& file) : tokens_(std::move(tokens)), file_(file) {}

  Result<ScriptFile> run() {
    ScriptFile result;
    while (!is(Token::Kind::End)) {
      if (take_word("class")) {
        LAPIS_CHECK(read_class(result));
      } else if (take_word("def")) {
        LAPIS_TRY(Function f, function());
        const std::string name = f.name;
        result.functions.insert_or_assign(name, std::move(f));
      } else {
        LAPIS_CHECK(statement());  // constants of old versions, which nothing reads
      }
    }
    return result;
  }

 private:
  // ---- tokens -------------------------------------------------------------------------------------------------------

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool is(Token::Kind kind) const { return peek().kind == kind; }
  bool is_sign(std::string_view sign, size_t ahead = 0) const {
    return peek(ahead).kind == Token::Kind::Sign && peek(ahead).text == sign;
  }
  bool is_word(std::string_view word) const { return is(Token::Kind::Name) && peek().text == word; }
  void advance() { at_ = std::min(at_ + 1, tokens_.size() - 1); }
  bool take(Token::Kind kind) { return is(kind) && (advance(), true); }
  bool take_sign(std::string_view sign) { return is_sign(sign) && (advance(), true); }
  bool take_word(std::string_view word) { return is_word(word) && (advance(), true); }

  Diagnostic unexpected(const std::string& wanted) const {
    return error(ErrorKind::Input, "its code has " + (peek().text.empty() ? "an end" : "'" + peek().text + "'") +
                                       " where " + wanted + " is expected")
        .at(file_ + ":" + std::to_string(peek().line))
        .help("the file is damaged, or of a version that Lapis does not know: export the model with torch.export.save");
  }
  Status expect_sign(std::string_view sign) {
    return take_sign(sign) ? ok() : Status(unexpected("'" + std::string(sign) + "'"));
  }
  Result<std::string> name() {
    if (!is(Token::Kind::Name)) return unexpected("a name");
    std::string text = peek().text;
    advance();
    return text;
  }

  // ---- definitions --------------------------------------------------------------------------------------------------

  // Annotations say what the objects hold, which they hold anyway; what has a value belongs to the class.
  Status read_class(ScriptFile& result) {
    LAPIS_TRY(const std::string name, this->name());
    ScriptClass& type = result.classes[name];
    while (!is(Token::Kind::LineEnd) && !is(Token::Kind::End)) {
      type.is_tuple |= is_word("NamedTuple");
      advance();
    }
    advance();
    if (!take(Token::Kind::Indent)) return unexpected("a block");
    while (!take(Token::Kind::Dedent)) {
      if (is(Token::Kind::End)) return unexpected("the end of a class");
      if (take_word("def")) {
        LAPIS_TRY(Function f, function());
        const std::string method = f.name;
        type.methods.insert_or_assign(method, std::move(f));
        continue;
      }
      LAPIS_TRY(Statement s, statement());
      if (s.kind == Statement::Kind::Assign && s.targets.size() == 1)
        type.constants.insert_or_assign(s.targets[0].text, std::move(s.value));
    }
    return ok();
  }

  Result<Function> function() {
    Function f;
    f.file = file_;
    LAPIS_TRY(f.name, name());
    LAPIS_CHECK(expect_sign("("));
    while (!take_sign(")")) {
      Parameter parameter;
      LAPIS_TRY(parameter.name, name());
      if (take_sign(":")) {
        LAPIS_TRY(parameter.type, expression());
      }
      if (take_sign("=")) {
        LAPIS_TRY(parameter.fallback.emplace_back(), expression());
      }
      f.parameters.push_back(std::move(parameter));
      if (!take_sign(",") && !is_sign(")")) return unexpected("')'");
    }
    if (take_sign("->")) LAPIS_CHECK(expression());
    LAPIS_TRY(f.body, block());
    return f;
  }

  Result<std::vector<Statement>> block() {
    LAPIS_CHECK(expect_sign(":"));
    if (!take(Token::Kind::LineEnd) || !take(Token::Kind::Indent)) return unexpected("a block");
    const Depth inside(depth_);
    if (depth_ > kMostDepth) return unexpected("fewer blocks within each other");
    std::vector<Statement> statements;
    while (!take(Token::Kind::Dedent)) {
      if (is(Token::Kind::End)) return unexpected("the end of a block");
      LAPIS_TRY(statements.emplace_back(), statement());
    }
    return statements;
  }

  // ---- statements ---------------------------------------------------------------------------------------------------

  Result<Statement> statement() {
    Statement s;
    s.line = peek().line;
    if (take_word("if")) return branch(std::move(s));
    if (take_word("while")) return loop(std::move(s), Statement::Kind::While);
    if (take_word("for")) return for_loop(std::move(s));
    if (take_word("with")) return loop(std::move(s), Statement::Kind::With);
    if (take_word("return")) {
      s.kind = Statement::Kind::Return;
      LAPIS_TRY(s.value, is(Token::Kind::LineEnd) ? none() : expressions());
    } else if (!take_word("pass")) {
      LAPIS_CHECK(assignment(s));
    }
    if (!take(Token::Kind::LineEnd) && !is(Token::Kind::End)) return unexpected("the end of a line");
    return s;
  }

  Result<Statement> branch(Statement s) {
    s.kind = Statement::Kind::If;
    LAPIS_TRY(s.value, expression());
    LAPIS_TRY(s.body, block());
    if (take_word("else")) {
      LAPIS_TRY(s.otherwise, block());
    }
    return s;
  }

  Result<Statement> loop(Statement s, Statement::Kind kind) {
    s.kind = kind;
    LAPIS_TRY(s.value, expression());
    LAPIS_TRY(s.body, block());
    return s;
  }

  Result<Statement> for_loop(Statement s) {
    LAPIS_TRY(s.targets.emplace_back(), expression());
    if (!take_word("in")) return unexpected("'in'");
    return loop(std::move(s), Statement::Kind::For);
  }

  // a = x, a, b, = x, a : T = x, a : T, or an expression
  Status assignment(Statement& s) {
    LAPIS_TRY(s.value, expression());
    s.kind = Statement::Kind::Evaluate;
    if (is_sign(",")) {
      s.unpacks = true;
      s.targets.push_back(std::move(s.value));
      while (take_sign(",") && !is_sign("=")) {
        LAPIS_TRY(s.targets.emplace_back(), expression());
      }
    }
    if (!s.unpacks && take_sign(":")) {
      LAPIS_CHECK(expression());
      if (!is_sign("=")) {
        s.kind = Statement::Kind::Pass;
        return ok();
      }
    }
    if (!is_sign("=")) return s.unpacks ? Status(unexpected("'='")) : ok();
    advance();
    s.kind = Statement::Kind::Assign;
    if (!s.unpacks) s.targets.push_back(std::move(s.value));
    LAPIS_TRY(s.value, expressions());
    return ok();
  }

  // ---- expressions --------------------------------------------------------------------------------------------------

  struct Depth {
    explicit Depth(int& depth) : depth_(++depth) {}
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    int& depth_;
  };

  Expression made(Expression::Kind kind, std::string text = "") const {
    Expression e;
    e.kind = kind;
    e.text = std::move(text);
    e.line = peek().line;
    return e;
  }
  Result<Expression> none() { return made(Expression::Kind::Name, "None"); }

  // One, or a tuple without parentheses.
  Result<Expression> expressions() {
    LAPIS_TRY(Expression first, expression());
    if (!is_sign(",")) return first;
    Expression tuple = made(Expression::Kind::Tuple);
    tuple.parts.push_back(std::move(first));
    while (take_sign(",") && !is(Token::Kind::LineEnd)) {
      LAPIS_TRY(tuple.parts.emplace_back(), expression());
    }
    return tuple;
  }

  Result<Expression> expression() {
    const Depth inside(depth_);
    if (depth_ > kMostDepth) return unexpected("fewer brackets within each other");
    LAPIS_TRY(Expression e, atom());
    constexpr int kMostLinks = 30;
    for (int links = 0;; ++links) {
      if (links > kMostLinks) return unexpected("fewer brackets behind each other");
      if (take_sign(".")) {
        Expression attribute = made(Expression::Kind::Attribute);
        LAPIS_TRY(attribute.text, name());
        attribute.parts.push_back(std::move(e));
        e = std::move(attribute);
      } else if (take_sign("[")) {
        Expression subscript = made(Expression::Kind::Subscript);
        subscript.parts.push_back(std::move(e));
        LAPIS_CHECK(elements(subscript, "]"));
        e = std::move(subscript);
      } else if (take_sign("(")) {
        LAPIS_TRY(e, call(std::move(e)));
      } else {
        return e;
      }
    }
  }

  Result<Expression> call(Expression callee) {
    Expression e = made(Expression::Kind::Call);
    e.parts.push_back(std::move(callee));
    while (!take_sign(")")) {
      const bool has_keyword = is(Token::Kind::Name) && is_sign("=", 1);
      e.keywords.push_back(has_keyword ? peek().text : "");
      if (has_keyword) advance(), advance();
      LAPIS_TRY(e.parts.emplace_back(), expression());
      if (!take_sign(",") && !is_sign(")")) return unexpected("')'");
    }
    return e;
  }

  Status elements(Expression& e, std::string_view end) {
    while (!take_sign(end)) {
      LAPIS_TRY(e.parts.emplace_back(), expression());
      if (e.kind == Expression::Kind::Dict) {
        LAPIS_CHECK(expect_sign(":"));
        LAPIS_TRY(e.parts.emplace_back(), expression());
      }
      if (!take_sign(",") && !is_sign(end)) return unexpected("'" + std::string(end) + "'");
    }
    return ok();
  }

  Result<Expression> atom() {
    if (is(Token::Kind::Name)) {
      Expression e = made(Expression::Kind::Name, peek().text);
      advance();
      return e;
    }
    if (is(Token::Kind::String)) {
      Expression e = made(Expression::Kind::String, peek().text);
      advance();
      return e;
    }
    if (is(Token::Kind::Number) || is_sign("-")) return number();
    if (take_sign("(")) return parenthesized();
    for (const auto& [kind, begin, end] :
         {std::tuple(Expression::Kind::List, "[", "]"), std::tuple(Expression::Kind::Dict, "{", "}")}) {
      if (!take_sign(begin)) continue;
      Expression e = made(kind);
      LAPIS_CHECK(elements(e, end));
      return e;
    }
    return unexpected("an expression");
  }

  // (x) is x, (x,) and (x, y) are tuples.
  Result<Expression> parenthesized() {
    Expression e = made(Expression::Kind::Tuple);
    bool has_comma = false;
    while (!take_sign(")")) {
      LAPIS_TRY(e.parts.emplace_back(), expression());
      if (take_sign(","))
        has_comma = true;
      else if (!is_sign(")"))
        return unexpected("')'");
    }
    if (e.parts.size() != 1 || has_comma) return e;
    Expression only = std::move(e.parts[0]);
    return only;
  }

  Result<Expression> number() {
    const bool negative = take_sign("-");
    if (negative && is(Token::Kind::Name)) {  // -inf
      Expression e = made(Expression::Kind::Name, "-" + peek().text);
      advance();
      return e;
    }
    std::string text = (negative ? "-" : "") + peek().text;
    if (!take(Token::Kind::Number)) return unexpected("a number");
    Expression e = made(Expression::Kind::Integer);
    const char *begin = text.data(), *end = begin + text.size();
    if (const auto [stop, failed] = std::from_chars(begin, end, e.integer); failed == std::errc() && stop == end)
      return e;
    e.kind = Expression::Kind::Real;
    if (const auto [stop, failed] = std::from_chars(begin, end, e.real); failed == std::errc() && stop == end) return e;
    return unexpected("a number");
  }

  std::vector<Token> tokens_;
  std::string file_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<ScriptFile> parse_script(std::string_view text, const std::string& name) {
  Result<std::vector<Token>> tokens = tokens_of(text);
  if (!tokens.ok()) {
    Diagnostics found = std::move(tokens).diagnostics();
    for (Diagnostic& d : found) d.at(name);
    return found;
  }
  return Parser(*std::move(tokens), name).run();
}

}  // namespace lapis::pytorch_frontend
