#include "ir/ops/einsum.h"

#include <cctype>

#include "ir/ops/data_attributes.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"
#include "ir/ops/product.h"

namespace lapis::ops {
namespace {

// ---- the equation -------------------------------------------------------------------------------------------------

constexpr std::string_view kDots = "...", kArrow = "->";

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool has_dots(const std::string& term) { return term.find(kDots) != std::string::npos; }
int64_t letters_of(const std::string& term) { return std::ranges::count_if(term, is_letter); }

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

class Reading {
 public:
  Reading(const std::string& text, const std::vector<Type>& operands) : text_(text), operands_(operands) {}

  Result<Summation> run() {
    std::string equation = text_;
    std::erase(equation, ' ');
    const size_t arrow = equation.find(kArrow);
    LAPIS_CHECK(read_terms(split_at_commas(equation.substr(0, arrow))));
    LAPIS_CHECK(
        read_result(arrow == std::string::npos ? std::nullopt : std::optional(equation.substr(arrow + kArrow.size()))));
    for (size_t i = 0; i < operands_.size(); ++i) LAPIS_CHECK(read_sizes(i));
    return std::move(s_);
  }

 private:
  Diagnostic wrong(const std::string& why) const {
    return error(ErrorKind::Input, "the equation '" + text_ + "' " + why);
  }

  // Labels of a term whose dots stand for `hidden` axes.
  Result<Labels> labels_of(const std::string& term, int64_t hidden) const {
    Labels labels;
    const size_t dots = term.find(kDots);
    for (size_t i = 0; i < term.size(); ++i) {
      if (i == dots) {
        for (int64_t axis = -hidden; axis < 0; ++axis) labels.push_back(static_cast<int>(axis));
        i += kDots.size() - 1;
      } else if (is_letter(term[i])) {
        labels.push_back(term[i]);
      } else {
        return wrong("has '" + std::string(1, term[i]) + "' where a letter or three dots can stand");
      }
    }
    return labels;
  }

  Status read_terms(const std::vector<std::string>& terms) {
    if (terms.size() != operands_.size())
      return wrong("has " + std::to_string(terms.size()) + " terms for " + std::to_string(operands_.size()) +
                   " operands");
    for (size_t i = 0; i < terms.size(); ++i) {
      const int64_t hidden = operands_[i].rank() - letters_of(terms[i]);
      LAPIS_TRY(Labels labels, labels_of(terms[i], std::max<int64_t>(hidden, 0)));
      if (static_cast<int64_t>(labels.size()) != operands_[i].rank())
        return wrong("names the axes '" + terms[i] + "' of operand " + std::to_string(i) + ", which is " +
                     operands_[i].to_string());
      if (has_dots(terms[i])) hidden_ = std::max(hidden_, hidden);
      s_.terms.push_back(std::move(labels));
    }
    return ok();
  }

  size_t occurrences(int label) const {
    size_t n = 0;
    for (const Labels& term : s_.terms) n += static_cast<size_t>(std::ranges::count(term, label));
    return n;
  }

  // Without an arrow: what the dots stand for, and the letters that occur once, sorted.
  Labels implied_result() const {
    Labels labels;
    for (const Labels& term : s_.terms)
      for (const int label : term)
        if ((label < 0 || occurrences(label) == 1) && !has_label(labels, label)) labels.push_back(label);
    std::ranges::sort(labels);
    return labels;
  }

  Status read_result(const std::optional<std::string>& term) {
    if (!term) {
      s_.result = implied_result();
      return ok();
    }
    if (hidden_ > 0 && !has_dots(*term)) return wrong("has dots in front of its arrow and none behind it");
    LAPIS_TRY(s_.result, labels_of(*term, hidden_));
    for (const int label : s_.result) {
      const std::string name = "'" + std::string(1, static_cast<char>(label)) + "'";
      if (occurrences(label) == 0) return wrong("wants " + name + ", which no operand has");
      if (std::ranges::count(s_.result, label) > 1) return wrong("wants " + name + " twice");
    }
    return ok();
  }

  Status read_sizes(size_t operand) {
    const Labels& term = s_.terms[operand];
    for (size_t axis = 0; axis < term.size(); ++axis) {
      const Dim& size = operands_[operand].dim(static_cast<int64_t>(axis));
      const auto first = static_cast<int64_t>(std::ranges::find(term, term[axis]) - term.begin());
      const auto [known, is_new] = s_.sizes.try_emplace(term[axis], size);
      const bool is_free = is_new || known->second.is(1) || size.is(1);
      if (differ(operands_[operand].dim(first), size) || (!is_free && differ(known->second, size)))
        return wrong("gives one name to axes of " + known->second.to_string() + " and " + size.to_string() +
                     " elements");
      known->second = common(known->second, size);
    }
    return ok();
  }

  static Dim common(const Dim& a, const Dim& b) {
    if (a.is(1) || a == b) return b;
    if (b.is(1)) return a;
    if (a.is_constant() || b.is_constant()) return a.is_constant() ? a : b;
    return Dim::unknown();
  }

  const std::string& text_;
  const std::vector<Type>& operands_;
  Summation s_;
  int64_t hidden_ = 0;  // axes that dots stand for, at most
};

template <class Context> Result<Summation> summation(const Context& c, const std::vector<Type>& operands) {
  auto read = read_equation(c.template attrs<EinsumAttrs>().equation, operands);
  if (!read.ok()) return c.error(read.diagnostics().front().message);
  return read;
}

// ---- the operator -------------------------------------------------------------------------------------------------

Result<Types> infer_einsum(const InferContext& c) {
  std::vector<Type> operands;
  for (size_t i = 0; i < c.input_count(); ++i) operands.push_back(c.in(i));
  const DType dtype = c.in(0).dtype;
  if (!std::ranges::all_of(operands, &Type::ranked)) return Types{Type::tensor(dtype)};
  LAPIS_TRY(const Summation s, summation(c, operands));
  Dims dims;
  for (const int label : s.result) dims.push_back(s.sizes.at(label));
  return Types{Type::tensor(dtype, std::move(dims))};
}

// How far apart the elements of an operand are along each label of `order`:
// 0 along what it does not have, the diagonal of what it has twice.
Shape steps_along(const Labels& order, const Labels& term, const Shape& shape) {
  const Shape strides = row_major_strides(shape);
  Shape steps(order.size(), 0);
  for (size_t axis = 0; axis < term.size(); ++axis)
    if (shape[axis] != 1)
      steps[static_cast<size_t>(std::ranges::find(order, term[axis]) - order.begin())] += strides[axis];
  return steps;
}

size_t offset_of(const Shape& index, const Shape& steps) {
  int64_t offset = 0;
  for (size_t i = 0; i < index.size(); ++i) offset += index[i] * steps[i];
  return static_cast<size_t>(offset);
}

Shape extents_of(const Summation& s, const Labels& labels) {
  Shape extents;
  for (const int label : labels) extents.push_back(s.sizes.at(label).value());
  return extents;
}

// For every element of the result, and every choice of what is summed: the product of the operands there.
template <class T> Tensor sum_products(const EvalContext& c, const Summation& s) {
  Labels order = s.result;
  for (const auto& [label, size] : s.sizes)
    if (!has_label(order, label)) order.push_back(label);
  std::vector<std::vector<T>> values;
  std::vector<Shape> steps;
  for (size_t i = 0; i < c.input_count(); ++i) {
    values.push_back(operand<T>(c.in(i)));
    steps.push_back(steps_along(order, s.terms[i], c.in(i).shape()));
  }
  const Shape extents = extents_of(s, order), shape = extents_of(s, s.result);
  std::vector<Accumulator<T>> sums(static_cast<size_t>(element_count(shape)));
  if (element_count(extents) == 0) return result_tensor(c.in(0).dtype(), shape, sums);
  const Shape to = steps_along(order, s.result, shape);
  Shape index(order.size(), 0);
  do {
    Accumulator<T> product = 1;
    for (size_t i = 0; i < values.size(); ++i)
      product *= static_cast<Accumulator<T>>(values[i][offset_of(index, steps[i])]);
    sums[offset_of(index, to)] += product;
  } while (next_index(index, extents));
  return result_tensor(c.in(0).dtype(), shape, sums);
}

Status evaluate_einsum(EvalContext& c) {
  std::vector<Type> operands;
  for (size_t i = 0; i < c.input_count(); ++i) operands.push_back(Type::of(c.in(i)));
  LAPIS_TRY(const Summation s, summation(c, operands));
  visit_operand(c.in(0).dtype(), [&](auto tag) { c.set_out(0, sum_products<decltype(tag)>(c, s)); });
  return ok();
}

constexpr TypeSet kFactors = kNumbers & ~types(DType::BFloat16);

}  // namespace

Result<Summation> read_equation(const std::string& equation, const std::vector<Type>& operands) {
  return Reading(equation, operands).run();
}

const OpDef Einsum = op("Einsum")
                         .since(12)
                         .doc("Sums over products of its operands, as an equation names their axes.")
                         .variadic_in("Inputs", kFactors, "T")
                         .out("Output", kFactors)
                         .attrs<EinsumAttrs>()
                         .infer(infer_einsum)
                         .evaluate(evaluate_einsum)
                         .traits(Trait::Pure);

}  // namespace lapis::ops
