// Dense layers, tables, and layers that do nothing once a model is trained.
#include "frontends/common/products.h"
#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {

namespace {

// What a product with the kernel becomes: the bias, then the activation.
Status set_product(Translation& t, Value* y) {
  if (t.has(2)) {
    LAPIS_TRY(Value * bias, t.real(2, Layout::AsWritten));
    LAPIS_TRY(y, t.add(ops::Add, {y, bias}));
  }
  LAPIS_TRY(y, activated(t, y, Layout::AsWritten));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace

Status dense(Translation& t) {
  LAPIS_TRY(Value * y, frontend::product_with_weights(t));
  return set_product(t, y);
}

// The bias is kept in a shape that goes with the result.
Status einsum_dense(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * kernel, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, frontend::einsum(t, {x, kernel}, t.get<std::string>("equation", "")));
  return set_product(t, y);
}

Status embedding(Translation& t) {
  LAPIS_TRY(Value * ids, t.real(0, Layout::AsWritten));
  LAPIS_TRY(ids, frontend::cast(t, ids, DType::Int64));
  LAPIS_TRY(Value * table, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Gather, {table, ids}, ops::AxisAttrs{.axis = 0}));
  return t.set(0, y, Layout::AsWritten);
}

// Forwards a table of rows; backwards what a row of such numbers says of each of them.
Status reversible_embedding(Translation& t) {
  if (!t.get<bool>("reverse", false)) return embedding(t);
  if (const auto type = t.get<std::string>("reverse_dtype", "float32"); type != "float32")
    return Translation::unsupported("the reverse_dtype '" + type + "'");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * table, t.has(2) ? t.real(2, Layout::AsWritten) : t.parameter(1, {1, 0}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {x, table}));
  if (const double most = number(t, "logit_soft_cap", 0); most != 0) {
    LAPIS_TRY(Value * cap, frontend::scalar_like(t, most, y));
    LAPIS_TRY(y, t.add(ops::Div, {y, cap}));
    LAPIS_TRY(y, t.add(ops::Tanh, {y}));
    LAPIS_TRY(y, t.add(ops::Mul, {y, cap}));
  }
  return t.set(0, y, Layout::AsWritten);
}

// Outside of training it gives the pictures as they are, as floats.
Status augmentation(Translation& t) {
  return in_any_order(t, [&](Value* x, Layout) { return frontend::cast(t, x, DType::Float32); });
}

Status identity(Translation& t) { return frontend::apply(t, ops::Identity); }

}  // namespace lapis::keras_frontend
