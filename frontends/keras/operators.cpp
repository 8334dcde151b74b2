// Operators that stand between layers: those of keras.ops, and those of TensorFlow in models of Keras 2.
#include <algorithm>

#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

// Axes of an option that may be one, several, or none for all.
std::vector<int64_t> axes_given(const Translation& t, int64_t rank) {
  constexpr double kMost = 1e9;
  std::vector<int64_t> axes;
  for (const double axis : numbers(t, "axis")) axes.push_back(static_cast<int64_t>(std::clamp(axis, -kMost, kMost)));
  if (axes.empty())
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

Status reduce(Translation& t, const OpDef& op) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  return frontend::reduce(t, op, axes_given(t, rank), t.get<bool>("keepdims", false));
}

std::vector<int64_t> sizes_option(const Translation& t, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto sizes = t.get<std::vector<int64_t>>(name, {}); !sizes.empty()) return sizes;
  return {};
}

}  // namespace

Status any_along(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(Value * truths, mask_operand(t, 0));
  LAPIS_TRY(Value * y, any(t, truths, axes_given(t, rank), t.get<bool>("keepdims", false)));
  return t.set(0, y, Layout::AsWritten);
}

Status clip(Translation& t) {
  const auto bound = [&](const char* name, const char* other) {
    return numbers(t, t.node().attributes.contains(name) ? name : other);
  };
  const std::vector<double> least = bound("x_min", "clip_value_min"), most = bound("x_max", "clip_value_max");
  if (least.size() != 1 || most.size() != 1) return Translation::unsupported("bounds that are not two numbers");
  return in_any_order(t, [&](Value* x, Layout) -> Result<Value*> {
    LAPIS_TRY(Value * low, frontend::scalar_like(t, least[0], x));
    LAPIS_TRY(Value * high, frontend::scalar_like(t, most[0], x));
    return t.add(ops::Clip, {x, low, high});
  });
}

// To a tensor, which it is, of another type perhaps.
Status converted(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  const auto type = parse_dtype(t.get<std::string>("dtype", ""));
  LAPIS_TRY(Value * y, type && *type != x->dtype() ? frontend::cast(t, x, *type) : t.add(ops::Identity, {x}));
  return t.set(0, y, Layout::AsWritten);
}

Status logical_or(Translation& t) {
  LAPIS_TRY(Value * a, mask_operand(t, 0));
  LAPIS_TRY(Value * b, mask_operand(t, 1));
  LAPIS_TRY(Value * y, t.add(ops::Or, {a, b}));
  return t.set(0, y, Layout::AsWritten);
}

Status mat_mul(Translation& t) {
  for (const char* other : {"transpose_a", "transpose_b", "adjoint_a", "adjoint_b"})
    if (t.get<bool>(other, false)) return Translation::unsupported(other);
  LAPIS_TRY(Value * a, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * b, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {a, b}));
  return t.set(0, y, Layout::AsWritten);
}

// Numbers that stand in the file take the type of the other operand.
Status not_equal(Translation& t) {
  LAPIS_TRY(Value * a, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * b, t.real(1, Layout::AsWritten));
  LAPIS_TRY(b, frontend::cast(t, b, a->dtype()));
  LAPIS_TRY(Value * y, t.add(ops::Equal, {a, b}));
  LAPIS_TRY(y, t.add(ops::Not, {y}));
  return t.set(0, y, Layout::AsWritten);
}

Status reduce_max(Translation& t) { return reduce(t, ops::ReduceMax); }
Status reduce_mean(Translation& t) { return reduce(t, ops::ReduceMean); }
Status reduce_min(Translation& t) { return reduce(t, ops::ReduceMin); }
Status reduce_sum(Translation& t) { return reduce(t, ops::ReduceSum); }

// The shape with its batch, unlike that of the layer.
Status reshape_all(Translation& t) {
  const std::vector<int64_t> shape = sizes_option(t, {"newshape", "shape"});
  if (shape.empty()) return Translation::unsupported("a shape that is computed");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, frontend::ints(t, shape)}));
  return t.set(0, y, Layout::AsWritten);
}

Status square(Translation& t) {
  return in_any_order(t, [&](Value* x, Layout) { return t.add(ops::Mul, {x, x}); });
}

Status transpose(Translation& t) {
  const Axes perm = sizes_option(t, {"axes", "perm"});
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Transpose, {x}, ops::TransposeAttrs{perm}));
  return t.set(0, y, Layout::AsWritten);
}

Status unsqueeze(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const int64_t axis, axis_option(t, "axis", rank + 1));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, frontend::unsqueeze(t, x, {axis}));
  return t.set(0, y, Layout::AsWritten);
}

Status zeros_like(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  const auto wanted = parse_dtype(t.get<std::string>("dtype", ""));
  LAPIS_TRY(Value * y, t.add(ops::Expand, {frontend::scalar(t, 0, wanted.value_or(x->dtype())), sizes}));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::keras_frontend
