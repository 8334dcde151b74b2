// What the elementwise families share: a row of a family's table is a scalar function plus facts; these templates make
// the record. float16 and bfloat16 compute in float and round once. Integers wrap around.
#pragma once

#include <cmath>
#include <type_traits>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/movement.h"
#include "ir/ops/numerics.h"

namespace lapis::ops {

template <class T> using Arithmetic = std::conditional_t<std::is_class_v<T>, float, T>;

template <class T> Arithmetic<T> load(T value) {
  if constexpr (std::is_class_v<T>)
    return to_float(value);
  else
    return value;
}
template <class T> T store(Arithmetic<T> value) {
  if constexpr (std::is_same_v<T, Float16>)
    return to_float16(value);
  else if constexpr (std::is_same_v<T, BFloat16>)
    return to_bfloat16(value);
  else
    return value;
}

// 1 / (1 + exp(-x)), whose exp(-x) overflows where the result does not vanish yet.
inline double logistic(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

// visit_dtype for the types of `Set` only, so that a scalar function needs to compile for those alone.
template <TypeSet Set, class Visitor> void visit_types(DType dtype, Visitor&& visitor) {
  const bool known = visit_dtype(dtype, [&](auto tag) {
    if constexpr (allows(Set, dtype_of<decltype(tag)>))
      visitor(tag);
    else
      LAPIS_UNREACHABLE(name_of(dtype) << " is not a type of this operator");
  });
  LAPIS_ASSERT(known, name_of(dtype) << " has no arithmetic");
}

// ---- inference -----------------------------------------------------------------------------------------------------

inline Result<Types> infer_same(const InferContext& c) { return Types{c.in(0)}; }
inline Result<Types> infer_predicate(const InferContext& c) { return Types{Type::tensor(DType::Bool, c.in(0).dims)}; }

// The broadcast shape of all operands; operands whose index is >= `first_typed` must agree in type, which is the
// result's.
Result<Types> infer_broadcast_as(const InferContext& c, std::optional<DType> dtype = std::nullopt,
                                 size_t first_typed = 0);
inline Result<Types> infer_broadcast(const InferContext& c) { return infer_broadcast_as(c); }
inline Result<Types> infer_comparison(const InferContext& c) { return infer_broadcast_as(c, DType::Bool); }

// ---- evaluation ----------------------------------------------------------------------------------------------------

// All operands expanded to their common shape (an operand that has it already is shared, not copied).
Result<std::vector<Tensor>> broadcast_operands(const EvalContext& c);

// y[i] = function(x[i]) with x of type T and y of type U.
template <class T, class U, class Function> void map(const Tensor& x, Tensor& y, Function&& function) {
  const auto from = x.data<T>();
  const auto to = y.mutable_data<U>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = store<U>(static_cast<Arithmetic<U>>(function(load(from[i]))));
}
template <class T, class U, class Function> void map(const Tensor& a, const Tensor& b, Tensor& y, Function&& function) {
  const auto left = a.data<T>();
  const auto right = b.data<T>();
  const auto to = y.mutable_data<U>();
  for (size_t i = 0; i < left.size(); ++i)
    to[i] = store<U>(static_cast<Arithmetic<U>>(function(load(left[i]), load(right[i]))));
}

template <TypeSet Set, class Function> Status evaluate_map(EvalContext& c, Function&& function) {
  const Tensor& x = c.in(0);
  Tensor& y = c.out(0, x.dtype(), x.shape());
  visit_types<Set>(x.dtype(), [&](auto tag) { map<decltype(tag), decltype(tag)>(x, y, function); });
  return ok();
}

template <TypeSet Set, auto function> Status evaluate_unary(EvalContext& c) { return evaluate_map<Set>(c, function); }

// A function that ONNX leaves to the mathematics: std:: in double, rounded once to the result type.
template <auto function> Status evaluate_transcendental(EvalContext& c) {
  return evaluate_map<kFloats>(c, [](auto x) { return static_cast<decltype(x)>(function(static_cast<double>(x))); });
}

template <TypeSet Set, class Function> Status evaluate_pairs(EvalContext& c, Function&& function) {
  LAPIS_TRY(const std::vector<Tensor> in, broadcast_operands(c));
  Tensor& y = c.out(0, in[0].dtype(), in[0].shape());
  visit_types<Set>(y.dtype(), [&](auto tag) { map<decltype(tag), decltype(tag)>(in[0], in[1], y, function); });
  return ok();
}

template <TypeSet Set, auto function> Status evaluate_binary(EvalContext& c) {
  return evaluate_pairs<Set>(c, function);
}

template <TypeSet Set, auto function> Status evaluate_comparison(EvalContext& c) {
  LAPIS_TRY(const std::vector<Tensor> in, broadcast_operands(c));
  Tensor& y = c.out(0, DType::Bool, in[0].shape());
  visit_types<Set>(in[0].dtype(), [&](auto tag) { map<decltype(tag), bool>(in[0], in[1], y, function); });
  return ok();
}

// ---- contents of shape tensors -------------------------------------------------------------------------------------

inline std::optional<Dims> propagate_same(const InferContext& c) { return c.contents(0); }
using DimFunction = Dim (*)(const Dim&, const Dim&);
// Element by element; an operand with one element serves all elements of the other.
std::optional<Dims> propagate_pairs(const InferContext& c, DimFunction function);
template <DimFunction function> std::optional<Dims> propagate_binary(const InferContext& c) {
  return propagate_pairs(c, function);
}

}  // namespace lapis::ops
