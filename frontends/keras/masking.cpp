// Masks: which steps count, as truth values [N, steps]. masks.h says which layers have one.
#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

// Where steps hold anything but one value.
Result<Value*> is_filled(Translation& t, Value* x, bool keepdims) {
  LAPIS_TRY(Value * empty, frontend::scalar_like(t, number(t, "mask_value", 0), x));
  LAPIS_TRY(Value * differs, t.add(ops::Equal, {x, empty}));
  LAPIS_TRY(differs, t.add(ops::Not, {differs}));
  return any(t, differs, {-1}, keepdims);
}

Status combined(Translation& t, const OpDef& op) {
  LAPIS_TRY(Value * y, mask_operand(t, 0));
  for (size_t i = 1; i < t.input_count(); ++i) {
    LAPIS_TRY(Value * other, mask_operand(t, i));
    LAPIS_TRY(y, t.add(op, {y, other}));
  }
  return t.set(0, y, Layout::AsWritten);
}

// The mask of operand `data`, with which all steps count where there is none.
Result<Value*> mask_of(Translation& t, size_t data) {
  if (t.has(data + 1)) return mask_operand(t, data + 1);
  LAPIS_TRY(Value * x, t.real(data, Layout::AsWritten));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}, ops::ShapeAttrs{.end = 2}));
  return t.add(ops::Expand, {frontend::scalar(t, 1, DType::Bool), sizes});
}

}  // namespace

Result<Value*> any(Translation& t, Value* truths, Axes axes, bool keepdims) {
  LAPIS_TRY(Value * y, frontend::cast(t, truths, DType::Float32));
  LAPIS_TRY(y, frontend::reduce(t, ops::ReduceMax, y, std::move(axes), keepdims));
  return frontend::cast(t, y, DType::Bool);
}

Result<Value*> mask_operand(Translation& t, size_t i) {
  LAPIS_TRY(Value * mask, t.real(i, Layout::AsWritten));
  return frontend::cast(t, mask, DType::Bool);
}

Result<Value*> step_mask(Translation& t, size_t i) {
  LAPIS_TRY(Value * mask, mask_operand(t, i));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(mask));
  if (rank > 1) return mask;
  return Translation::unsupported("a mask over the steps that TimeDistributed takes apart");
}

// Steps that hold nothing but one value become 0.
Status masking(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * factor, is_filled(t, x, true));
  LAPIS_TRY(factor, frontend::cast(t, factor, x->dtype()));
  LAPIS_TRY(Value * y, t.add(ops::Mul, {x, factor}));
  return t.set(0, y, Layout::AsWritten);
}

Status mask_of_masking(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, is_filled(t, x, false));
  return t.set(0, y, Layout::AsWritten);
}

Status mask_of_embedding(Translation& t) {
  LAPIS_TRY(Value * ids, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, frontend::cast(t, ids, DType::Bool));
  return t.set(0, y, Layout::AsWritten);
}

Status all_of_masks(Translation& t) { return combined(t, ops::And); }
Status any_of_masks(Translation& t) { return combined(t, ops::Or); }

// Operands: each of the layer, then its mask.
// Beside each other, masks lie as their data does, or are one where that grows by values of a step.
Status mask_of_concatenate(Translation& t) {
  for (size_t i = 1; i < t.input_count(); i += 2) {
    if (!t.has(i)) continue;
    LAPIS_TRY(Value * mask, mask_operand(t, i));
    if (mask->type().ranked() && mask->type().rank() < 2) return t.set(0, mask, Layout::AsWritten);  // of one step
  }
  LAPIS_TRY(const int64_t rank, rank_of(t));
  if (rank != 3) return Translation::unsupported("masks of data that is not [N, steps, values]");
  LAPIS_TRY(const int64_t axis, axis_option(t, "axis", rank));
  std::vector<Value*> masks;
  for (size_t i = 0; i + 1 < t.input_count(); i += 2) {
    LAPIS_TRY(masks.emplace_back(), mask_of(t, i));
  }
  Value* y = masks[0];
  const OpDef& merge = t.get<int64_t>("keras_version", 2) < 3 ? ops::And : ops::Or;
  if (axis < 2) {
    LAPIS_TRY(y, t.add(ops::Concat, masks, ops::ConcatAttrs{axis}));
  }
  for (size_t i = 1; axis == 2 && i < masks.size(); ++i) {
    LAPIS_TRY(y, t.add(merge, {y, masks[i]}));
  }
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::keras_frontend
