// The translators of ATen's operators, by family, and what several of them share. Exported programs and TorchScript have the same operators.
#pragma once

#include "frontends/pytorch/args.h"
#include "ir/ops/ops.h"

namespace lapis::pytorch_frontend {

// What is beside the name of an operator: the names of its arguments, in the order that TorchScript passes them in.
struct AtenRow {
  std::string_view op;         // "aten.add", without its overload
  std::string_view arguments;  // "self other *alpha": what stands behind * is passed by name only
  Status (*translate)(Translation&);
};
std::span<const AtenRow> aten_rows();  // alphabetical
const AtenRow* find_aten(std::string_view op);
// The families, each in its file.
std::span<const AtenRow> activation_rows(), elementwise_rows(), shape_rows(), reduction_rows(), window_rows(),
    product_rows(), indexing_rows(), creation_rows(), quantization_rows(), recurrent_rows();

// Output 0, if it could be made.
Status finish(Translation& t, Result<Value*> y);
// Outputs that a model does not read are not there.
Status finish_some(Translation& t, const std::vector<Value*>& values);

// ---- types, as PyTorch promotes them -----------------------------------------------------------------------------------------

// The type that both become in an operator of two.
DType promoted(DType a, DType b);
// A type of real numbers for operators that have no other: float for integers and truth values.
Result<Value*> as_real(Translation& t, Value* x);
// Two operands of one type: tensors decide, then tensors without axes, then numbers.
struct Pair {
  Value *a, *b;
};
Result<Pair> pair(Translation& t, Args& a, std::string_view left = "self", std::string_view right = "other");

inline Result<Value*> self(Args& a) { return a.tensor("self"); }

template <const OpDef& Op> Status unary(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(Op, {x}));
}
// Of operators that only real numbers have.
template <const OpDef& Op> Status real(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, t.add(Op, {x}));
}
template <const OpDef& Op> Status binary(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  return finish(t, t.add(Op, {p.a, p.b}));
}

// The operand itself: what only says how a tensor is stored, or matters in training.
Status same(Translation& t);

// A number, cast to the type of a tensor.
inline Value* number_like(Translation& t, double value, const Value* like) {
  return frontend::scalar(t, value, like->dtype());
}

}  // namespace lapis::pytorch_frontend
