#include "ir/dim.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>

#include "base/check.h"

namespace lapis {
namespace {

// Limits of formulas. Shapes of real models have a handful of terms of degree three or less.
constexpr size_t kMostTerms = 64, kHighestDegree = 8, kLongestAtom = 256;

bool divides(int64_t divisor, int64_t value) { return divisor == 1 || divisor == -1 || value % divisor == 0; }

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

// "floor(P/Q)" -> P and Q. The slash is the one outside of any inner parenthesis.
std::optional<std::pair<std::string, std::string>> split_floor(const std::string& atom) {
  if (!atom.starts_with("floor(") || atom.back() != ')') return std::nullopt;
  int depth = 0;
  for (size_t i = 6; i + 1 < atom.size(); ++i) {
    if (atom[i] == '(') ++depth;
    if (atom[i] == ')') --depth;
    if (atom[i] == '/' && depth == 0) return std::pair(atom.substr(6, i - 6), atom.substr(i + 1, atom.size() - i - 2));
  }
  return std::nullopt;
}

// Recursive descent over  sum := product (('+'|'-') product)*,  product := atom ('*' atom)*.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}
  Dim parse() {
    Dim d = sum();
    return at_ == text_.size() ? d : Dim::symbol(text_);  // not our syntax: a user's odd dim_param is one opaque name
  }

 private:
  Dim sum() {
    Dim d = peek() == '-' ? Dim(0) : product();
    while (peek() == '+' || peek() == '-') d = text_[at_++] == '+' ? d + product() : d - product();
    return d;
  }
  Dim product() {
    Dim d = atom();
    while (peek() == '*') {
      ++at_;
      d = d * atom();
    }
    return d;
  }
  Dim atom() {
    const size_t begin = at_;
    if (text_.compare(at_, 6, "floor(") == 0) return floor();
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  std::string("_.?").find(text_[at_]) != std::string::npos))
      ++at_;
    const std::string word = text_.substr(begin, at_ - begin);
    if (word == "?") return Dim::unknown();
    if (!word.empty() && word.size() < 19 &&
        std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c); }))
      return Dim(std::stoll(word));
    if (word.empty()) at_ = std::string::npos - 1;  // reject: falls back to the opaque name
    return Dim::symbol(word);
  }
  Dim floor() {
    at_ += 6;
    Dim numerator = sum();
    if (peek() != '/') return reject();
    ++at_;
    Dim denominator = sum();
    if (peek() != ')') return reject();
    ++at_;
    return floor_div(numerator, denominator);
  }
  Dim reject() {
    at_ = std::string::npos - 1;
    return Dim(0);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

// A formula while it is put together.
class Dim::Sum {
 public:
  explicit Sum(int64_t constant = 0) : constant_(constant) {}
  explicit Sum(const Dim& d) : constant_(d.constant_), terms_(d.terms()) {}

  void add(const Monomial& monomial, int64_t coefficient) {
    int64_t& mine = monomial.empty() ? constant_ : terms_[monomial];
    if (__builtin_add_overflow(mine, coefficient, &mine)) overflow();
    if (mine == 0 && !monomial.empty()) terms_.erase(monomial);
  }
  void overflow() { too_large_ = true; }

  Dim dim() && {
    if (too_large_) return too_large();
    Dim d(constant_);
    if (!terms_.empty()) d.terms_ = std::make_shared<const Terms>(std::move(terms_));
    return d;
  }
  // Unknown beyond any sensible size.
  Dim bounded() && {
    const bool is_grown = terms_.size() > kMostTerms || std::any_of(terms_.begin(), terms_.end(), [](const auto& term) {
                            return is_long(term.first);
                          });
    return !too_large_ && is_grown ? unknown() : std::move(*this).dim();
  }

 private:
  static bool is_long(const Monomial& m) {
    return m.size() > kHighestDegree ||
           std::any_of(m.begin(), m.end(), [](const std::string& atom) { return atom.size() > kLongestAtom; });
  }

  int64_t constant_;
  Terms terms_;
  bool too_large_ = false;
};

Dim Dim::symbol(std::string name) {
  Sum sum;
  sum.add({std::move(name)}, 1);
  return std::move(sum).dim();
}

Dim Dim::parse(const std::string& text) { return Parser(text).parse(); }

int64_t Dim::value() const {
  LAPIS_ASSERT(is_constant(), "dimension " << to_string() << " is not a number");
  return constant_;
}

std::optional<int64_t> Dim::constant() const { return is_constant() ? std::optional(constant_) : std::nullopt; }

Dim Dim::too_large() {
  Dim d;
  d.too_large_ = true;
  return d;
}

Dim Dim::unknown_like(const Dim& a, const Dim& b) { return a.too_large_ || b.too_large_ ? too_large() : unknown(); }

const Dim::Terms& Dim::terms() const {
  static const Terms none;
  return terms_ ? *terms_ : none;
}

Dim Dim::combine(const Dim& a, const Dim& b, int64_t sign) {
  if (!a.known_ || !b.known_) return unknown_like(a, b);
  Sum sum(a);
  auto add = [&](const Monomial& monomial, int64_t coefficient) {
    if (__builtin_mul_overflow(coefficient, sign, &coefficient))
      sum.overflow();
    else
      sum.add(monomial, coefficient);
  };
  add({}, b.constant_);
  for (const auto& [monomial, coefficient] : b.terms()) add(monomial, coefficient);
  return std::move(sum).bounded();
}

Dim operator+(const Dim& a, const Dim& b) { return Dim::combine(a, b, 1); }
Dim operator-(const Dim& a, const Dim& b) { return Dim::combine(a, b, -1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is(0) || b.is(0)) return 0;
  if (!a.known_ || !b.known_) return Dim::unknown_like(a, b);
  auto with_constant = [](const Dim& d) {
    auto terms = d.terms();
    if (d.constant_ != 0) terms[{}] = d.constant_;
    return terms;
  };
  Dim::Sum product;
  for (const auto& [ma, ca] : with_constant(a)) {
    for (const auto& [mb, cb] : with_constant(b)) {
      Dim::Monomial monomial = ma;
      monomial.insert(monomial.end(), mb.begin(), mb.end());
      std::sort(monomial.begin(), monomial.end());
      int64_t coefficient = 0;
      if (__builtin_mul_overflow(ca, cb, &coefficient)) return Dim::too_large();
      product.add(monomial, coefficient);
    }
  }
  return std::move(product).bounded();
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_ || b.is(0)) return Dim::unknown_like(a, b);
  if (a == b || b.is(1)) return b.is(1) ? a : Dim(1);
  if (b.is(-1)) return Dim(0) - a;  // the one division that can leave 64 bits
  auto floored = [](const Dim& p, const std::string& q) {
    Dim::Sum atom;
    atom.add({"floor(" + p.to_string() + "/" + q + ")"}, 1);
    return std::move(atom).bounded();
  };
  if (!b.is_constant()) return floored(a, b.to_string());
  const int64_t divisor = b.constant_;
  // floor((k*q + r)/k) = q + floor(r/k): the divisible terms leave the floor,
  // which also makes equal shapes compare equal.
  const int64_t quotient = floor_divide(a.constant_, divisor);
  Dim::Sum whole(quotient);
  Dim::Sum rest(static_cast<int64_t>(static_cast<__int128>(a.constant_) - static_cast<__int128>(quotient) * divisor));
  bool has_rest = false;
  for (const auto& [monomial, coefficient] : a.terms()) {
    const bool divides = coefficient % divisor == 0;
    (divides ? whole : rest).add(monomial, divides ? coefficient / divisor : coefficient);
    has_rest |= !divides;
  }
  Dim exact = std::move(whole).dim();
  return has_rest ? exact + floored(std::move(rest).dim(), std::to_string(divisor)) : exact;
}

Dim ceil_div(const Dim& a, const Dim& b) {
  if (b.is_constant() && b.constant_ > 0) return floor_div(a - Dim(1), b) + Dim(1);  // no sum that could leave 64 bits
  return floor_div(a + b - Dim(1), b);
}

// Long division by the leading monomial: highest degree first, ties in alphabetical order, which products preserve.
std::optional<Dim> exact_div(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_ || b.is(0)) return std::nullopt;
  auto leading = [](const Dim& d) {
    std::pair<Dim::Monomial, int64_t> lead{{}, d.constant_};
    for (const auto& [monomial, coefficient] : d.terms())
      if (monomial.size() > lead.first.size()) lead = {monomial, coefficient};
    return lead;
  };
  const auto [divisor, divisor_coefficient] = leading(b);
  Dim quotient(0), rest = a;
  while (!rest.is(0)) {
    const auto [monomial, coefficient] = leading(rest);
    if (!rest.known_ || coefficient == INT64_MIN || !divides(divisor_coefficient, coefficient) ||
        !std::includes(monomial.begin(), monomial.end(), divisor.begin(), divisor.end()))
      return std::nullopt;
    Dim::Monomial left;
    std::set_difference(monomial.begin(), monomial.end(), divisor.begin(), divisor.end(), std::back_inserter(left));
    Dim::Sum sum;
    sum.add(left, coefficient / divisor_coefficient);
    const Dim term = std::move(sum).dim();
    quotient = quotient + term;
    rest = rest - term * b;
  }
  return quotient.known_ ? std::optional(quotient) : std::nullopt;
}

bool Dim::never_negative() const {
  return known_ && constant_ >= 0 &&
         std::all_of(terms().begin(), terms().end(), [](const auto& term) { return term.second > 0; });
}

bool Dim::is_within(int64_t limit) const {
  const auto fits = [&](int64_t number) { return number >= -limit && number <= limit; };
  return known_ && fits(constant_) &&
         std::all_of(terms().begin(), terms().end(), [&](const auto& term) { return fits(term.second); });
}

bool operator==(const Dim& a, const Dim& b) {
  return a.known_ && b.known_ && a.constant_ == b.constant_ && (a.terms_ == b.terms_ || a.terms() == b.terms());
}

Dim Dim::bind(const std::map<std::string, int64_t>& values) const {
  if (!known_) return *this;
  auto bind_atom = [&](const std::string& atom) -> Dim {
    if (auto it = values.find(atom); it != values.end()) return it->second;
    if (auto parts = split_floor(atom))
      return floor_div(parse(parts->first).bind(values), parse(parts->second).bind(values));
    return symbol(atom);
  };
  Dim bound(constant_);
  for (const auto& [monomial, coefficient] : terms()) {
    Dim term(coefficient);
    for (const std::string& atom : monomial) term = term * bind_atom(atom);
    bound = bound + term;
  }
  return bound;
}

std::vector<std::string> Dim::symbols() const {
  std::set<std::string> names;
  for (const auto& [monomial, coefficient] : terms()) {
    for (const std::string& atom : monomial) {
      const auto parts = split_floor(atom);
      if (!parts)
        names.insert(atom);
      else
        for (const std::string& part : {parts->first, parts->second})
          for (std::string& s : parse(part).symbols()) names.insert(std::move(s));
    }
  }
  return {names.begin(), names.end()};
}

std::string Dim::to_string() const {
  if (!known_) return "?";
  std::string text;
  for (const auto& [monomial, coefficient] : terms()) {
    if (!text.empty() || coefficient < 0) text += coefficient < 0 ? "-" : "+";
    const uint64_t size = coefficient < 0 ? -static_cast<uint64_t>(coefficient) : static_cast<uint64_t>(coefficient);
    std::string product = size == 1 ? "" : std::to_string(size);
    for (const std::string& atom : monomial) product += (product.empty() ? "" : "*") + atom;
    text += product;
  }
  if (text.empty()) return std::to_string(constant_);
  if (constant_ != 0) text += (constant_ < 0 ? "" : "+") + std::to_string(constant_);
  return text;
}

}  // namespace lapis
