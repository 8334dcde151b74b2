// Facts about values and constants that several families of rules ask for.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace lapis::facts {

bool is_static(const Value& value);
bool is_float(const Value& value);
// Both shapes are known to be the same (symbols included).
bool same_shape(const Type& a, const Type& b);
// y has the shape of x: broadcasting the other operand did not grow it.
inline bool same_shape(const Value& a, const Value& b) { return same_shape(a.type(), b.type()); }
// What is known of the shape of y is known from operands that are constants or shapes. What is only declared holds if
// the operands say so at run time, for which its producer has to stay.
bool is_shape_sure(const Value& y);
// Small integer constants: shapes, axes, pads. Absent or not constant: nullopt.
std::optional<std::vector<int64_t>> ints(const Value* value);
// -0 and +0 are two numbers, and NaN is itself: what `==` says about floats is not what a rule may rely on.
bool same_number(double a, double b);
// Every element is `number`; false for large tensors, which nobody fills with ones to multiply by them.
bool is_filled_with(const Value& constant, double number);
// What Reshape must be told to produce this type: at most one dimension may be unknown and becomes -1. nullopt if that
// is not enough, or if another one is 0: nothing says then how long the unknown one is.
std::optional<std::vector<int64_t>> reshape_target(const Type& type);
// Whether a 0 in a target is a size, which Reshape takes for "copy" unless its allowzero is set.
bool names_zero(const std::vector<int64_t>& target);
// The axes of a reduction-like operand, normalised and sorted; all axes if absent.
std::optional<std::vector<int64_t>> axes_of(const Node& node, size_t operand, int64_t rank);
// perm of a Transpose, filled in if left out.
std::vector<int64_t> permutation_of(const Node& transpose);
bool is_identity(const std::vector<int64_t>& permutation);
std::vector<int64_t> inverse(const std::vector<int64_t>& permutation);
// No value is below 0, which may be -0: unsigned, or clamped by the operator that computes it.
bool is_non_negative(const Value& value);
bool is_never_minus_zero(const Value& value);
// Whether a zero of y is +0 or -0 makes no difference to anyone:
// products are added to +0, as may be zeros, and integers have one zero.
bool hides_sign_of_zero(const Value& y);
// No NaN, no infinity.
bool is_finite(const Tensor& tensor);

}  // namespace lapis::facts
