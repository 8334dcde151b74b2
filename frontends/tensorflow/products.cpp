// Products of matrices.
#include <algorithm>

#include "frontends/common/products.h"
#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

// The last two axes swapped, of constants at once.
Result<Value*> adjoint(Translation& t, size_t i) {
  LAPIS_TRY(const int64_t rank, rank_of(t, i));
  if (rank < 2) return error(ErrorKind::Input, "its operand is " + t.input(i).type.to_string() + ", no matrix");
  Axes perm(static_cast<size_t>(rank));
  for (int64_t axis = 0; axis < rank; ++axis) perm[static_cast<size_t>(axis)] = axis;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return t.parameter(i, perm);
}

Result<Value*> matrix(Translation& t, size_t i, bool transposed) {
  return transposed ? adjoint(t, i) : t.real(i, Layout::AsWritten);
}

Result<Value*> product(Translation& t, bool transposes_a, bool transposes_b) {
  LAPIS_TRY(Value * a, matrix(t, 0, transposes_a));
  LAPIS_TRY(Value * b, matrix(t, 1, transposes_b));
  return t.add(ops::MatMul, {a, b});
}

// ---- Einsum -----------------------------------------------------------------------------------------------------------

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

// Two operands, each letter once in each, none summed in one operand alone.
Result<Equation> parse(const std::string& text) {
  std::string equation;
  for (const char c : text)
    if (c != ' ') equation += c;
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
    LAPIS_TRY(Value * a, operand(0, e_.a, {e_.batch, e_.rows, e_.sum}));
    LAPIS_TRY(Value * b, operand(1, e_.b, {e_.batch, e_.sum, e_.columns}));
    LAPIS_TRY(Value * y, t_.add(ops::MatMul, {a, b}));
    const std::string order = e_.batch + e_.rows + e_.columns;
    if (e_.rows.size() != 1 || e_.columns.size() != 1) {
      LAPIS_TRY(y, shaped(y, order));
    }
    if (order == e_.out) return y;
    return t_.add(ops::Transpose, {y}, ops::TransposeAttrs{order_of(order, e_.out)});
  }

 private:
  // The axes in the order of their groups; all of the last two groups become one each.
  Result<Value*> operand(size_t i, const std::string& labels, const std::vector<std::string>& groups) {
    const std::string order = groups[0] + groups[1] + groups[2];
    LAPIS_TRY(Value * x, t_.parameter(i, order_of(labels, order)));
    if (groups[1].size() == 1 && groups[2].size() == 1) return x;
    std::vector<int64_t> sizes;
    for (const char c : groups[0]) sizes.push_back(size_of(c));
    for (const std::string& group : {groups[1], groups[2]}) sizes.push_back(product_of(group));
    return reshaped(x, std::move(sizes));
  }

  Result<Value*> shaped(Value* y, const std::string& order) {
    std::vector<int64_t> sizes;
    for (const char c : order) sizes.push_back(size_of(c));
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

  Translation& t_;
  Equation e_;
  std::map<char, Dim> sizes_;
};

}  // namespace

Status mat_mul(Translation& t) {
  const bool transposes_a = t.get<bool>("transpose_a", false), transposes_b = t.get<bool>("transpose_b", false);
  LAPIS_TRY(Value * y,
            transposes_a || transposes_b ? product(t, transposes_a, transposes_b) : frontend::product_with_weights(t));
  return t.set(0, y, Layout::AsWritten);
}

Status batch_mat_mul(Translation& t) {
  LAPIS_TRY(Value * y, product(t, t.get<bool>("adj_x", false), t.get<bool>("adj_y", false)));
  return t.set(0, y, Layout::AsWritten);
}

Status einsum(Translation& t) {
  LAPIS_TRY(Equation equation, parse(t.get<std::string>("equation", "")));
  LAPIS_TRY(Value * y, Summation(t, std::move(equation)).run());
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tensorflow_frontend
