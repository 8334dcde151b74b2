// Einsum as products of two operands after the other:
// a MatMul where axes are summed, a Mul where none is, between what brings axes into order.
#include "ir/ops/einsum.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/expand/expand.h"

namespace lapis {
namespace {

using Ints = std::vector<int64_t>;
using ops::has_label;
using ops::Labels;
using Groups = std::vector<Labels>;

constexpr int64_t kAsItIs = 0, kWhatIsLeft = -1;  // sizes as Reshape says them

Labels joined(const Groups& groups) {
  Labels all;
  for (const Labels& group : groups) all.insert(all.end(), group.begin(), group.end());
  return all;
}

// The labels in the order of another list, then those that it does not have.
Labels ordered_as(const Labels& labels, const Labels& order) {
  Labels sorted, others;
  for (const int label : order)
    if (has_label(labels, label) && !has_label(sorted, label)) sorted.push_back(label);
  for (const int label : labels)
    if (!has_label(order, label)) others.push_back(label);
  return joined({sorted, others});
}

// Constant, in integers perhaps: to bring it into another order costs nothing.
bool is_weight(const Value* v) {
  const Node* producer = v->producer();
  return v->is_constant() || (producer && producer->is(ops::DequantizeLinear) && producer->input(0)->is_constant());
}

// The labels one by one, then the groups.
Groups each_of(const Labels& labels, std::initializer_list<Labels> groups) {
  Groups all;
  for (const int label : labels) all.push_back({label});
  all.insert(all.end(), groups);
  return all;
}

// A value and what its axes are called.
struct Named {
  Value* value;
  Labels labels;
  bool is_weight = false;
};

// What becomes of the labels of two operands: in both and still needed; only in the left one; in both and summed;
// only in the right one.
struct Roles {
  Labels batch, rows, sum, columns;

  Labels left() const { return joined({batch, rows, sum}); }
  Labels right() const { return joined({batch, sum, columns}); }
  Labels result() const { return joined({batch, rows, columns}); }
};

class Contraction {
 public:
  Contraction(const Node& node, const ops::Summation& s, Rewriter& rw) : node_(node), s_(s), rw_(rw) {
    for (size_t i = 0; i < s.terms.size(); ++i) present_.push_back(present(i));
  }

  // Whether its axes are as long as they have to be, for all that is known.
  std::optional<std::string> reason_against() const {
    for (const auto& [label, size] : s_.sizes)
      if (size.is(0)) return "one of its axes has no elements";
    for (size_t i = 0; i < s_.terms.size(); ++i)
      for (size_t axis = 0; axis < s_.terms[i].size(); ++axis) {
        const int label = s_.terms[i][axis];
        if (!has_label(present_[i], label)) continue;
        // Axes that stay broadcast in products too.
        if (!has_label(s_.result, label) && !(dim(i, axis) == s_.sizes.at(label)))
          return "whether its operands have axes of one size is not known";
        if (std::ranges::count(s_.terms[i], label) > 1 && !dim(i, axis).is_constant())
          return "the size of an axis whose diagonal it takes is not known";
      }
    return std::nullopt;
  }

  // Null if sizes are missing that a Reshape would need.
  Value* run() {
    Named all = prepared(0);
    for (size_t i = 1; i < s_.terms.size(); ++i) all = product(all, prepared(i), i);
    Value* y = in_order(all, s_.result);
    if (is_narrow()) y = rw_.add(ops::Cast, {y}, {{"to", static_cast<int64_t>(node_.output()->dtype())}});
    return fits_ ? y : nullptr;
  }

 private:
  const Dim& dim(size_t operand, size_t axis) const {
    return node_.input(operand)->type().dim(static_cast<int64_t>(axis));
  }
  // One element for all of another operand: the axis is left out.
  bool is_repeated(size_t operand, size_t axis) const {
    return dim(operand, axis).is(1) && !s_.sizes.at(s_.terms[operand][axis]).is(1);
  }
  Labels present(size_t operand) const {
    Labels labels;
    for (size_t axis = 0; axis < s_.terms[operand].size(); ++axis)
      if (!is_repeated(operand, axis)) labels.push_back(s_.terms[operand][axis]);
    return labels;
  }

  // Products and sums have no code in 8 and 16 bits; those of 32 bits end in the same ones.
  bool is_narrow() const {
    return allows(types(DType::Int8, DType::Int16, DType::UInt8, DType::UInt16), node_.input(0)->dtype());
  }

  // Still needed when the operands up to `operand` are multiplied.
  bool is_needed(int label, size_t operand) const {
    return has_label(s_.result, label) ||
           std::any_of(present_.begin() + static_cast<int64_t>(operand) + 1, present_.end(),
                       [&](const Labels& later) { return has_label(later, label); });
  }

  // ---- one operand: each of its labels once, and none that is only summed ----

  Named prepared(size_t operand) {
    Value* x = node_.input(operand);
    if (is_narrow()) x = rw_.add(ops::Cast, {x}, {{"to", static_cast<int64_t>(DType::Int32)}});
    Ints repeated;
    for (size_t axis = 0; axis < s_.terms[operand].size(); ++axis)
      if (is_repeated(operand, axis)) repeated.push_back(static_cast<int64_t>(axis));
    if (!repeated.empty()) x = rw_.add(ops::Squeeze, {x, rw_.ints(repeated)});
    return summed(operand, diagonal({x, present_[operand], is_weight(node_.input(operand))}));
  }

  Named summed(size_t operand, Named x) {
    Ints axes;
    Labels kept;
    for (size_t axis = 0; axis < x.labels.size(); ++axis)
      if (is_alone(operand, x.labels[axis]))
        axes.push_back(static_cast<int64_t>(axis));
      else
        kept.push_back(x.labels[axis]);
    if (axes.empty()) return x;
    return {rw_.add(ops::ReduceSum, {x.value, rw_.ints(axes)}, ops::ReduceAttrs{.keepdims = false}), kept, x.is_weight};
  }

  bool is_alone(size_t operand, int label) const {
    if (has_label(s_.result, label)) return false;
    for (size_t i = 0; i < present_.size(); ++i)
      if (i != operand && has_label(present_[i], label)) return false;
    return true;
  }

  // Both axes of a label become one, of which every (n+1)-th element is on the diagonal.
  Named diagonal(Named x) {
    for (size_t i = 0; i < x.labels.size(); ++i) {
      const int label = x.labels[i];
      if (std::ranges::count(x.labels, label) == 1) continue;
      Labels others;
      Ints perm, twice;
      for (size_t axis = 0; axis < x.labels.size(); ++axis) {
        const bool is_same = x.labels[axis] == label && twice.size() < 2;
        (is_same ? twice : perm).push_back(static_cast<int64_t>(axis));
        if (!is_same) others.push_back(x.labels[axis]);
      }
      perm.insert(perm.end(), twice.begin(), twice.end());
      return diagonal(last_diagonal(rw_.add(ops::Transpose, {x.value}, ops::TransposeAttrs{perm}), others, label));
    }
    return x;
  }

  Named last_diagonal(Value* x, Labels others, int label) {
    const int64_t n = s_.sizes.at(label).value(), axis = static_cast<int64_t>(others.size());
    Ints sizes(others.size(), kAsItIs);
    sizes.push_back(n * n);
    Value* flat = reshaped(x, sizes);
    others.push_back(label);
    return {rw_.add(ops::Slice, {flat, rw_.ints({0}), rw_.ints({n * n}), rw_.ints({axis}), rw_.ints({n + 1})}), others};
  }

  // ---- two operands ----

  Named product(Named a, Named b, size_t operand) {
    if (a.is_weight && !b.is_weight) std::swap(a, b);  // weights are on the right of a product
    Roles roles;
    for (const int label : a.labels)
      (!has_label(b.labels, label) ? roles.rows : is_needed(label, operand) ? roles.batch : roles.sum).push_back(label);
    for (const int label : b.labels)
      if (!has_label(a.labels, label)) roles.columns.push_back(label);
    Named y = roles.sum.empty() ? elements(a, b, joined({a.labels, roles.columns}))
                                : matrices(a, b, in_best_order(a, b, roles));
    y.is_weight = a.is_weight && b.is_weight;
    return y;
  }

  static int transposes(const Named& x, const Labels& order) { return !x.is_weight && x.labels != order ? 1 : 0; }
  bool is_in_order(const Labels& labels) const { return labels == ordered_as(labels, s_.result); }

  // Each group of labels in the order that one of the operands or the result has them in, for the fewest Transposes.
  Roles in_best_order(const Named& a, const Named& b, const Roles& roles) const {
    Roles best = roles;
    int fewest = std::numeric_limits<int>::max();
    for (const Labels& batch : {a.labels, b.labels, s_.result})
      for (const Labels& sum : {a.labels, b.labels})
        for (const Labels& single : {roles.result(), s_.result}) {
          const Roles tried{ordered_as(roles.batch, batch), ordered_as(roles.rows, single), ordered_as(roles.sum, sum),
                            ordered_as(roles.columns, single)};
          const int needed =
              transposes(a, tried.left()) + transposes(b, tried.right()) + (is_in_order(tried.result()) ? 0 : 1);
          if (std::exchange(fewest, std::min(fewest, needed)) > needed) best = tried;
        }
    return best;
  }

  // In the order of the result, unless `labels` and one Transpose behind the product are fewer.
  Named elements(const Named& a, const Named& b, const Labels& labels) {
    const Labels wanted = ordered_as(labels, s_.result);
    const auto needed = [&](const Labels& order) {
      return transposes(a, ordered_as(a.labels, order)) + transposes(b, ordered_as(b.labels, order));
    };
    const Labels& order = needed(wanted) <= needed(labels) + 1 ? wanted : labels;
    return {rw_.add(ops::Mul, {widened(a, order), widened(b, order)}), order};
  }

  // With an axis of one element for each label that it does not have.
  Value* widened(const Named& x, const Labels& order) {
    Ints axes;
    for (size_t axis = 0; axis < order.size(); ++axis)
      if (!has_label(x.labels, order[axis])) axes.push_back(static_cast<int64_t>(axis));
    Value* ordered = in_order(x, ordered_as(x.labels, order));
    return axes.empty() ? ordered : rw_.add(ops::Unsqueeze, {ordered, rw_.ints(axes)});
  }

  // Rows of matrices that all are multiplied by the same one need not become one axis.
  Named matrices(const Named& a, const Named& b, const Roles& roles) {
    const auto& [batch, rows, sum, columns] = roles;
    const bool is_free = batch.empty() && rows.size() > 1;
    const Labels lead = is_free ? Labels(rows.begin(), rows.end() - 1) : batch;
    const Labels last = is_free ? Labels{rows.back()} : rows;
    Value* left = grouped(a, each_of(lead, {last, sum}));
    Value* right = grouped(b, each_of(batch, {sum, columns}));
    return apart(rw_.add(ops::MatMul, {left, right}), each_of(lead, {last, columns}));
  }

  // ---- axes ----

  Value* in_order(const Named& x, const Labels& order) {
    if (x.labels == order) return x.value;
    Ints perm;
    for (const int label : order) perm.push_back(std::ranges::find(x.labels, label) - x.labels.begin());
    return rw_.add(ops::Transpose, {x.value}, ops::TransposeAttrs{perm});
  }

  int64_t size_of(const Labels& group) const {
    Dim all = 1;
    for (const int label : group) all = all * s_.sizes.at(label);
    return all.constant().value_or(kWhatIsLeft);
  }

  static size_t single_groups(const Groups& groups) {
    const auto several = std::ranges::find_if(groups, [](const Labels& group) { return group.size() != 1; });
    return static_cast<size_t>(several - groups.begin());
  }

  // The axes of each group as one.
  Value* grouped(const Named& x, const Groups& groups) {
    const size_t same = single_groups(groups);
    Value* ordered = in_order(x, joined(groups));
    if (same == groups.size()) return ordered;
    Ints sizes(same, kAsItIs);
    for (size_t i = same; i < groups.size(); ++i) sizes.push_back(size_of(groups[i]));
    return reshaped(ordered, sizes);
  }

  // The axis of each group as its axes.
  Named apart(Value* x, const Groups& groups) {
    const size_t same = single_groups(groups);
    const Labels labels = joined(groups);
    if (same == groups.size()) return {x, labels};
    Ints sizes(same, kAsItIs);
    for (size_t i = same; i < labels.size(); ++i) sizes.push_back(size_of({labels[i]}));
    return {reshaped(x, sizes), labels};
  }

  Value* reshaped(Value* x, const Ints& sizes) {
    fits_ = fits_ && std::ranges::count(sizes, kWhatIsLeft) <= 1;
    return fits_ ? rw_.add(ops::Reshape, {x, rw_.ints(sizes)}) : x;
  }

  const Node& node_;
  const ops::Summation& s_;
  Rewriter& rw_;
  std::vector<Labels> present_;  // of each operand, without the axes that it has for broadcasting alone
  bool fits_ = true;
};

// Einsum(a, b, ...)  =>  Transpose(Reshape(MatMul(Reshape(Transpose(a)), Reshape(Transpose(b))))) ...
bool equation(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  if (!node.is(ops::Einsum)) return false;
  std::vector<Type> operands;
  for (const Value* v : node.inputs()) operands.push_back(v->type());
  if (!std::ranges::all_of(operands, &Type::ranked)) return rw.skip(y, "the rank of its data is not known");
  const auto s = ops::read_equation(node.attrs<ops::EinsumAttrs>().equation, operands);
  if (!s.ok()) return rw.skip(y, s.diagnostics().front().message);
  Contraction contraction(node, *s, rw);
  if (const auto reason = contraction.reason_against()) return rw.skip(y, *reason);
  Value* result = contraction.run();
  return result ? rw.replace(y, result) : rw.skip(y, "several sizes that it would make one of are not known");
}

constexpr Rule kRules[] = {{"expand.equation", equation}};

}  // namespace

std::span<const Rule> equation_rules() { return kRules; }

}  // namespace lapis
