// Translators of what many formats have alike, whatever the order of axes: operators on each element, and reductions.
//
//   {"LOGISTIC", 1, 3, 1, 1, frontend::unary<ops::Sigmoid>},
//   {"SUB", 1, 5, 2, 2, frontend::binary<ops::Sub>},
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

// The order in which operand i is at hand, but for planes, which only few know.
Layout plain_layout(const Translation& t, size_t i = 0);

// Operands of an operator that broadcasts as numpy does, in the order of axes in which they meet: channels first where
// one of them is so and the others can be turned like it.
struct Aligned {
  Layout layout = Layout::AsWritten;
  std::vector<Value*> operands;
};
Result<Aligned> aligned(Translation& t, const std::vector<size_t>& operands);

Result<Value*> scalar_like(Translation& t, double number, const Value* like);

Status apply(Translation& t, const OpDef& op, Attributes attributes = {});  // to operand 0
Status combine(Translation& t, const OpDef& op);                            // operands 0 and 1
template <const OpDef& op> inline constexpr TranslatorFunction unary{[](Translation& t) { return apply(t, op); }, &op};
template <const OpDef& op>
inline constexpr TranslatorFunction binary{[](Translation& t) { return combine(t, op); }, &op};

class Formula;
// Zeros too, by their sign.
Value* is_negative(Formula& f, Value* x);
// The angle of the point (x, y), from -pi to pi, with the signs that zeros have.
Result<Value*> angle(Translation& t, Value* y, Value* x);

// Operand 0, what `compute` makes of it, in the same order of axes:
//   of_one(t, [&](Value* x) { return t.add(ops::Mul, {x, x}); })
template <class Compute> Status of_one(Translation& t, Compute compute) {
  const Layout layout = plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, compute(x));
  return t.set(0, y, layout);
}
// The same of operands 0 and 1, which broadcast.
template <class Compute> Status of_two(Translation& t, Compute compute) {
  LAPIS_TRY(const Aligned both, aligned(t, {0, 1}));
  LAPIS_TRY(Value * y, compute(both.operands[0], both.operands[1]));
  return t.set(0, y, both.layout);
}

// `axes` as written, negative ones from the end; all of them if there are none.
Status reduce(Translation& t, const OpDef& op, std::vector<int64_t> axes, bool keeps_axes);

// An image [N, H, W, C] that is at hand with its channels first, where flattening it would move elements: H * W * C.
// Then the values stay in planes, and the weights behind are turned instead.
std::optional<int64_t> width_of_planes(const Translation& t);
Status set_planes(Translation& t, int64_t width);

}  // namespace lapis::frontend
