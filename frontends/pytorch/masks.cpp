// Operators that select by truth values.
#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

// [n, axes]: where a tensor is not 0. How many those are depends on values.
Status nonzero(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * at, t.add(ops::NonZero, {x}));
  return finish(t, t.add(ops::Transpose, {at}, ops::TransposeAttrs{{1, 0}}));
}

// Elements of a tensor and of its mask, each in one row.
struct Masked {
  Value *x, *mask, *elements, *chosen, *shape;
};

Result<Masked> masked(Formula& f, Args& a) {
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * mask, a.tensor("mask"));
  mask = f.cast(mask, DType::Bool);
  Masked m{f.op(ops::Expand, {x, f.op(ops::ShapeOf, {mask})}), nullptr, nullptr, nullptr, nullptr};
  m.shape = f.op(ops::ShapeOf, {m.x});
  m.mask = f.op(ops::Expand, {mask, m.shape});
  m.elements = f.reshape(m.x, {-1});
  m.chosen = f.reshape(m.mask, {-1});
  return m;
}

Status masked_select(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Masked m, masked(f, a));
  Value* y = f.op(ops::Compress, {m.elements, m.chosen}, ops::CompressAttrs{.axis = 0});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// The how manieth of those that are chosen each is; any number for the others.
Value* numbers_of_chosen(Formula& f, Value* chosen) {
  Value* begun = f.op(ops::CumSum, {f.cast(chosen, DType::Int64), f.number(0, DType::Int64)});
  return f.max({f.sub({begun, f.number(1, DType::Int64)}), f.number(0, DType::Int64)});
}

// What the mask chooses becomes the elements of the source, in order.
Status masked_scatter(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Masked m, masked(f, a));
  LAPIS_TRY(Value * source, a.tensor("source"));
  Value* elements = f.reshape(source, {-1});
  Value* in_order = f.gather(elements, numbers_of_chosen(f, m.chosen), 0);
  Value* y = f.where({m.mask, f.op(ops::Reshape, {in_order, m.shape}, ops::ReshapeAttrs{true}), m.x});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

constexpr AtenRow kRows[] = {
    {"aten.masked_scatter", "self mask source", masked_scatter},
    {"aten.masked_select", "self mask", masked_select},
    {"aten.nonzero", "self", nonzero},
};

}  // namespace

std::span<const AtenRow> mask_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
