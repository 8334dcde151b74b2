// The translators of ATen's operators, by family, and what several of them share.
// Exported programs and TorchScript have the same operators.
#pragma once

#include "frontends/pytorch/args.h"
#include "ir/ops/ops.h"

namespace lapis::pytorch_frontend {

// What is beside the name of an operator: the names of its arguments, in the order that TorchScript passes them in.
struct AtenRow {
  std::string_view op;         // "aten.add", without its overload
  std::string_view arguments;  // "self other *alpha": what stands behind * is passed by name only
  frontend::TranslatorFunction translate;
};
std::span<const AtenRow> aten_rows();  // alphabetical
const AtenRow* find_aten(std::string_view op);
// The families, each in its file.
std::span<const AtenRow> activation_rows(), elementwise_rows(), shape_rows(), reduction_rows(), window_rows(),
    product_rows(), encoder_rows(), indexing_rows(), creation_rows(), quantization_rows(), recurrent_rows(),
    higher_order_rows(), torchao_rows(), box_rows(), deformable_rows(), part_rows(), derived_rows(), stride_rows(),
    distance_rows(), bag_rows(), sampling_rows(), mask_rows(), column_rows(), scatter_rows(), special_rows(),
    running_rows(), order_rows(), count_rows(), arrangement_rows();

// Output 0, if it could be made.
Status finish(Translation& t, Result<Value*> y);
// Outputs that a model does not read are not there.
Status finish_some(Translation& t, const std::vector<Value*>& values);

// ---- types, as PyTorch promotes them --------------------------------------------------------------------------------

// The type that both become in an operator of two.
DType promoted(DType a, DType b);
// The type of a number among the arguments, were it a tensor.
DType type_of_number(const Translation& t, std::string_view name);
// A type of real numbers for operators that have no other: float for integers and truth values.
Result<Value*> as_real(Translation& t, Value* x);
// Two operands of one type: tensors decide, then tensors without axes, then numbers.
struct Pair {
  Value *a, *b;
};
// A number that the type does not hold wraps, as in arithmetic of that type.
Result<Pair> pair(Translation& t, Args& a, std::string_view left = "self", std::string_view right = "other");
// The same as real numbers, which hold every number.
Result<Pair> real_pair(Translation& t, Args& a, std::string_view left = "self", std::string_view right = "other");
// In the type that all of them become.
Result<std::vector<Value*>> in_one_type(Translation& t, std::vector<Value*> values);

Result<Value*> floor_quotient(Translation& t, const Pair& p);  // rounded down, of integers too
Result<Value*> floor_rest(Translation& t, const Pair& p);      // what that leaves over, of the sign of the divisor

inline Result<Value*> self(Args& a) { return a.tensor("self"); }

Status apply(Translation& t, const OpDef& op);          // to self
Status apply_to_real(Translation& t, const OpDef& op);  // of operators that only real numbers have
Status combine(Translation& t, const OpDef& op);        // self and other
template <const OpDef& op>
inline constexpr frontend::TranslatorFunction unary{[](Translation& t) { return pytorch_frontend::apply(t, op); }, &op};
template <const OpDef& op>
inline constexpr frontend::TranslatorFunction real{
    [](Translation& t) { return pytorch_frontend::apply_to_real(t, op); }, &op};
template <const OpDef& op>
inline constexpr frontend::TranslatorFunction binary{[](Translation& t) { return pytorch_frontend::combine(t, op); },
                                                     &op};

// The operand itself: what only says how a tensor is stored, or matters in training.
Status same(Translation& t);

// A number, cast to the type of a tensor.
inline Value* number_like(Translation& t, double value, const Value* like) {
  return frontend::scalar(t, value, like->dtype());
}

// (sum |x|^order)^(1/order) over these axes, none: over all.
// Of order 0 how many are not 0, of an infinite one the largest or smallest |x|.
Result<Value*> norm_of(Translation& t, Value* x, double order, Axes axes, bool keepdims);

// x W^T + b; no bias: null.
Result<Value*> affine(Translation& t, Value* x, Value* weight, Value* bias);
// Q K^T * scale, of matrices in the last two axes.
Result<Value*> similarities(Translation& t, Value* query, Value* key, double scale);

}  // namespace lapis::pytorch_frontend
