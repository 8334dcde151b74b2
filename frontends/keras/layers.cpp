// Dense layers, tables, and layers that do nothing once a model is trained.
#include "frontends/common/einsum.h"
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
  LAPIS_TRY(Value * y, frontend::einsum(t, t.get<std::string>("equation", "")));
  return set_product(t, y);
}

Status embedding(Translation& t) {
  LAPIS_TRY(Value * ids, t.real(0, Layout::AsWritten));
  LAPIS_TRY(ids, frontend::cast(t, ids, DType::Int64));
  LAPIS_TRY(Value * table, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Gather, {table, ids}, ops::AxisAttrs{.axis = 0}));
  return t.set(0, y, Layout::AsWritten);
}

Status identity(Translation& t) { return frontend::apply(t, ops::Identity); }

}  // namespace lapis::keras_frontend
