#include "passes/simplify/facts.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "ir/infer.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::facts {

bool is_static(const Value& value) { return value.type().is_static(); }

bool is_float(const Value& value) { return value.type().is_tensor() && allows(kFloats, value.dtype()); }

bool same_shape(const Type& a, const Type& b) {
  return a.is_tensor() && b.is_tensor() && a.ranked() && b.ranked() &&
         std::equal(a.dims->begin(), a.dims->end(), b.dims->begin(), b.dims->end());
}

// Of each dimension that the type has a number for, the other one has it too.
static bool covers(const Type& whole, const Type& part) {
  if (!whole.ranked() || !part.ranked() || whole.rank() != part.rank()) return false;
  return std::equal(whole.dims->begin(), whole.dims->end(), part.dims->begin(),
                    [](const Dim& all, const Dim& known) { return !known.is_constant() || all == known; });
}

bool is_shape_sure(const Value& y) {
  const Node* node = y.producer();
  if (!node || !y.type().ranked()) return true;
  const auto computed = [&](const Value* v) { return v && v != node->input(0) && !v->is_constant(); };
  if (std::none_of(node->inputs().begin(), node->inputs().end(), computed)) return true;
  const auto types = types_without_declarations(*node);
  return types.ok() && covers((*types)[y.output_index()], y.type());
}

std::optional<std::vector<int64_t>> ints(const Value* value) {
  constexpr int64_t kSmall = 1024;
  if (!value || !value->is_constant() || !is_integer(value->dtype()) || value->constant().size() > kSmall)
    return std::nullopt;
  return value->constant().as_ints();
}

bool is_filled_with(const Value& value, double number) {
  constexpr int64_t kSmall = 65536;
  if (!value.is_constant() || value.dtype() == DType::String) return false;
  const Tensor& tensor = value.constant();
  if (tensor.size() == 0 || tensor.size() > kSmall) return false;
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (!same_number(tensor.as_double(i), number)) return false;
  return true;
}

bool same_number(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

static bool may_hold_minus_zero(const Value& v) {
  constexpr int64_t kSmall = 65536;
  if (!v.is_constant() || v.constant().size() > kSmall) return true;
  for (int64_t i = 0; i < v.constant().size(); ++i)
    if (same_number(v.constant().as_double(i), -0.0)) return true;
  return false;
}

// Zeros of both signs become +0, or the other summand.
static bool adds_constants_above_minus_zero(const Node& node) {
  return node.is(ops::Add) &&
         !std::ranges::all_of(node.inputs(), [](const Value* v) { return may_hold_minus_zero(*v); });
}

// Of a zero of operand 0 nothing but the sign reaches the result, where it is a zero too.
static bool passes_zeros_on(const Node& node) {
  if (node.outputs().size() != 1) return false;  // indices of a MaxPool tell the signs of zeros
  return node.is(ops::Relu) || node.is(ops::LeakyRelu) || node.is(ops::Clip) || node.is(ops::MaxPool) ||
         node.op().has(Trait::Movement);
}

static bool hides_sign_of_zero(const Value& y, int steps) {
  return !y.is_graph_output() && std::all_of(y.uses().begin(), y.uses().end(), [&](const Use& use) {
    const Node& node = *use.node;
    if (node.op().has(Trait::Contraction)) return use.index < 2;
    if (node.is(ops::QuantizeLinear)) return use.index == 0;
    if (adds_constants_above_minus_zero(node)) return true;
    return steps > 0 && use.index == 0 && passes_zeros_on(node) && hides_sign_of_zero(*node.output(), steps - 1);
  });
}

bool hides_sign_of_zero(const Value& y) {
  constexpr int kFar = 4;
  return hides_sign_of_zero(y, kFar);
}

bool is_finite(const Tensor& tensor) {
  bool finite = true;
  visit_dtype(tensor.dtype(), [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_floating_point_v<T>)
      for (const T v : tensor.data<T>()) finite &= std::isfinite(v);
    else if constexpr (std::is_class_v<T>)
      for (const T v : tensor.data<T>()) finite &= std::isfinite(to_float(v));
  });
  return finite;
}

bool names_zero(const std::vector<int64_t>& target) { return std::ranges::find(target, 0) != target.end(); }

std::optional<std::vector<int64_t>> reshape_target(const Type& type) {
  if (!type.is_tensor() || !type.ranked()) return std::nullopt;
  std::vector<int64_t> target;
  for (const Dim& d : *type.dims) target.push_back(d.is_constant() ? d.value() : -1);
  const auto unknown = std::count(target.begin(), target.end(), -1);
  if (unknown > 1 || (unknown == 1 && names_zero(target))) return std::nullopt;
  return target;
}

std::optional<std::vector<int64_t>> axes_of(const Node& node, size_t operand, int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (!node.input(operand)) return axes;
  auto given = ints(node.input(operand));
  if (!given) return std::nullopt;
  for (int64_t& axis : *given) axis += axis < 0 ? rank : 0;
  std::sort(given->begin(), given->end());
  return given;
}

std::vector<int64_t> permutation_of(const Node& transpose) {
  std::vector<int64_t> perm = transpose.attrs<ops::TransposeAttrs>().perm;
  const Type& type = transpose.output()->type();
  if (perm.empty() && type.ranked()) {
    perm.resize(static_cast<size_t>(type.rank()));
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  return perm;
}

bool is_identity(const std::vector<int64_t>& permutation) {
  for (size_t i = 0; i < permutation.size(); ++i)
    if (permutation[i] != static_cast<int64_t>(i)) return false;
  return true;
}

std::vector<int64_t> inverse(const std::vector<int64_t>& permutation) {
  std::vector<int64_t> result(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) result[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return result;
}

static bool is_at_least_zero(const Value* bound) {
  return bound && bound->is_constant() && bound->constant().size() == 1 && bound->constant().as_double(0) >= 0;
}

// The lowest integer is its own absolute value, and a Clip whose bounds cross gives the upper one.
bool is_non_negative(const Value& value) {
  if (is_integer(value.dtype()) && !is_signed(value.dtype())) return true;
  const Node* node = value.producer();
  if (!node) return false;
  if (node->is(ops::Relu) || node->is(ops::Sigmoid)) return true;
  if (node->is(ops::Abs)) return is_float(value);
  return node->is(ops::Clip) && is_at_least_zero(node->input(1)) &&
         (!node->input(2) || is_at_least_zero(node->input(2)));
}

bool is_never_minus_zero(const Value& value) {
  const Node* node = value.producer();
  return !is_float(value) || (node && (node->is(ops::Abs) || node->is(ops::Sigmoid)));
}

}  // namespace lapis::facts
