#include "frontends/common/einsum.h"

#include <algorithm>

#include "frontends/common/build.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::frontend {
namespace {

// "abc,cde->abde" by what becomes of each letter.
struct Equation {
  std::string a, b, out;
  std::string batch, rows, sum, columns;  // in both and out; only in a; in both, not out; only in b
};

bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

bool repeats(std::string letters) {
  std::ranges::sort(letters);
  return std::ranges::adjacent_find(letters) != letters.end();
}

void sort_letters(Equation& e) {
  for (const char c : e.out)
    if (has(e.a, c) && has(e.b, c)) e.batch += c;
  for (const char c : e.a) {
    if (!has(e.b, c)) e.rows += c;
    if (has(e.b, c) && !has(e.out, c)) e.sum += c;
  }
  for (const char c : e.b)
    if (!has(e.a, c)) e.columns += c;
}

// "...x,xy->...y" with letters for the axes that the dots stand for in an operand of `rank` axes.
std::string without_dots(std::string equation, int64_t rank) {
  constexpr std::string_view kDots = "...";
  const size_t dots = equation.find(kDots);
  if (dots == std::string::npos || dots > equation.find(',')) return equation;
  const int64_t hidden = rank - static_cast<int64_t>(equation.find(',') - kDots.size());
  std::string letters;
  for (char c = 'A'; c <= 'Z' && static_cast<int64_t>(letters.size()) < hidden; ++c)
    if (!has(equation, c)) letters += c;
  equation.replace(dots, kDots.size(), letters);
  if (const size_t again = equation.find(kDots); again != std::string::npos && again > equation.find("->"))
    equation.replace(again, kDots.size(), letters);
  return equation;
}

// Two operands, each letter once in each, none summed in one operand alone.
Result<Equation> parse(const std::string& text, int64_t rank) {
  std::string equation;
  for (const char c : text)
    if (c != ' ') equation += c;
  equation = without_dots(std::move(equation), rank);
  const auto refused = [&] { return Translation::unsupported("the equation '" + text + "'"); };
  const size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow || has(equation, '.')) return refused();
  Equation e;
  e.a = equation.substr(0, comma);
  e.b = equation.substr(comma + 1, arrow - comma - 1);
  e.out = equation.substr(arrow + 2);
  sort_letters(e);
  const bool keeps_all = std::ranges::all_of(e.rows + e.columns, [&](char c) { return has(e.out, c); });
  if (repeats(e.a) || repeats(e.b) || repeats(e.out) || !keeps_all ||
      e.out.size() != e.batch.size() + e.rows.size() + e.columns.size())
    return refused();
  return e;
}

Axes order_of(const std::string& from, const std::string& to) {
  Axes perm;
  for (const char c : to) perm.push_back(static_cast<int64_t>(from.find(c)));
  return perm;
}

class Summation {
 public:
  Summation(Translation& t, Equation equation) : t_(t), e_(std::move(equation)) {}

  Result<Value*> run() {
    for (const auto& [labels, i] : {std::pair(&e_.a, size_t{0}), std::pair(&e_.b, size_t{1})}) {
      if (!t_.input(i).type.ranked() || t_.input(i).type.rank() != static_cast<int64_t>(labels->size()))
        return error(ErrorKind::Input, "its operand " + std::to_string(i) + " is " + t_.input(i).type.to_string() +
                                           ", not of the axes '" + *labels + "'");
      for (size_t axis = 0; axis < labels->size(); ++axis)
        sizes_[(*labels)[axis]] = t_.input(i).type.dim(static_cast<int64_t>(axis));
    }
    // Rows of matrices that all are multiplied by the same one need not become one axis.
    const bool is_free = e_.batch.empty() && e_.rows.size() > 1;
    const size_t leading = is_free ? e_.rows.size() - 1 : 0;
    const std::string lead = is_free ? e_.rows.substr(0, leading) : e_.batch, rows = e_.rows.substr(leading);
    LAPIS_TRY(Value * a, operand(0, e_.a, {lead, rows, e_.sum}));
    LAPIS_TRY(Value * b, operand(1, e_.b, {e_.batch, e_.sum, e_.columns}));
    LAPIS_TRY(Value * y, t_.add(ops::MatMul, {a, b}));
    if (rows.size() != 1 || e_.columns.size() != 1) {
      LAPIS_TRY(y, shaped(y, lead, rows));
    }
    const std::string order = e_.batch + e_.rows + e_.columns;
    if (order == e_.out) return y;
    return t_.add(ops::Transpose, {y}, ops::TransposeAttrs{order_of(order, e_.out)});
  }

 private:
  // The axes in the order of their groups; all of the last two groups become one each.
  Result<Value*> operand(size_t i, const std::string& labels, const std::vector<std::string>& groups) {
    const std::string order = groups[0] + groups[1] + groups[2];
    LAPIS_TRY(Value * x, t_.parameter(i, order_of(labels, order)));
    if (groups[1].size() == 1 && groups[2].size() == 1) return x;
    std::vector<int64_t> sizes(groups[0].size(), kAsItIs);
    sizes.push_back(groups[1].size() == 1 ? kAsItIs : product_of(groups[1]));
    sizes.push_back(product_of(groups[2]));
    return reshaped(x, std::move(sizes));
  }

  // The rows and the columns of the product as the axes that they were.
  Result<Value*> shaped(Value* y, const std::string& lead, const std::string& rows) {
    std::vector<int64_t> sizes(lead.size(), kAsItIs);
    for (const char c : rows) sizes.push_back(rows.size() == 1 ? kAsItIs : size_of(c));
    for (const char c : e_.columns) sizes.push_back(size_of(c));
    return reshaped(y, std::move(sizes));
  }

  Result<Value*> reshaped(Value* x, std::vector<int64_t> sizes) {
    if (std::ranges::count(sizes, -1) > 1) return Translation::unsupported("an equation over several open sizes");
    return t_.add(ops::Reshape, {x, ints(t_, std::move(sizes))});
  }

  int64_t size_of(char label) const {
    const Dim& d = sizes_.at(label);
    return d.is_constant() ? d.value() : -1;
  }

  int64_t product_of(const std::string& group) const {
    Dim all = 1;
    for (const char c : group) all = all * sizes_.at(c);
    return all.is_constant() ? all.value() : -1;
  }

  static constexpr int64_t kAsItIs = 0;  // as ONNX's Reshape says it

  Translation& t_;
  Equation e_;
  std::map<char, Dim> sizes_;
};

}  // namespace

Result<Value*> einsum(Translation& t, const std::string& equation) {
  if (!t.input(0).type.ranked()) return Translation::unsupported("data of unknown rank");
  LAPIS_TRY(Equation parsed, parse(equation, t.input(0).type.rank()));
  return Summation(t, std::move(parsed)).run();
}

}  // namespace lapis::frontend
