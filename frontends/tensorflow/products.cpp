// Products of matrices.

#include "frontends/common/products.h"
#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

// The last two axes swapped, of constants at once.
Result<Value*> adjoint(Translation& t, size_t i) {
  LAPIS_TRY(const int64_t rank, rank_of(t, i));
  if (rank < 2) return error(ErrorKind::Input, "its operand is " + t.input(i).type.to_string() + ", no matrix");
  Axes perm(static_cast<size_t>(rank));
  for (int64_t axis = 0; axis < rank; ++axis) perm[static_cast<size_t>(axis)] = axis;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return t.parameter(i, perm);
}

Result<Value*> matrix(Translation& t, size_t i, bool transposed) {
  return transposed ? adjoint(t, i) : t.real(i, Layout::AsWritten);
}

Result<Value*> product(Translation& t, bool transposes_a, bool transposes_b) {
  LAPIS_TRY(Value * a, matrix(t, 0, transposes_a));
  LAPIS_TRY(Value * b, matrix(t, 1, transposes_b));
  return t.add(ops::MatMul, {a, b});
}

}  // namespace

Status mat_mul(Translation& t) {
  const bool transposes_a = t.get<bool>("transpose_a", false), transposes_b = t.get<bool>("transpose_b", false);
  LAPIS_TRY(Value * y,
            transposes_a || transposes_b ? product(t, transposes_a, transposes_b) : frontend::product_with_weights(t));
  return t.set(0, y, Layout::AsWritten);
}

Status batch_mat_mul(Translation& t) {
  LAPIS_TRY(Value * y, product(t, t.get<bool>("adj_x", false), t.get<bool>("adj_y", false)));
  return t.set(0, y, Layout::AsWritten);
}

Status einsum(Translation& t) {
  LAPIS_TRY(Value * y, frontend::einsum(t, t.get<std::string>("equation", "")));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tensorflow_frontend
