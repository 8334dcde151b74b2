#include "frontends/common/products.h"

#include "frontends/common/build.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::frontend {
namespace {

bool takes_planes(const Translation& t) {
  const SourceValue& weights = t.input(1);
  return t.layout(0) == Layout::FlattenedPlanes && weights.constant.defined() && !weights.quantization &&
         weights.constant.rank() == 2 && t.channels(0) > 0 && t.input(0).type.ranked() &&
         t.input(0).type.dim(1).is(weights.constant.dim(0));
}

// The rows of [H * W * C, N] in the order of planes.
Result<Value*> weights_for_planes(Translation& t) {
  const Tensor& weights = t.input(1).constant;
  const int64_t channels = t.channels(0), rows = weights.dim(0), columns = weights.dim(1);
  LAPIS_TRY(Value * w, t.real(1, Layout::AsWritten));
  LAPIS_TRY(w, t.add(ops::Reshape, {w, ints(t, {rows / channels, channels, columns})}));
  LAPIS_TRY(w, transpose(t, w, {1, 0, 2}));
  return t.add(ops::Reshape, {w, ints(t, {rows, columns})});
}

}  // namespace

Result<Value*> product_with_weights(Translation& t) {
  const bool planes = takes_planes(t);
  LAPIS_TRY(Value * x, t.real(0, planes ? Layout::FlattenedPlanes : Layout::AsWritten));
  LAPIS_TRY(Value * weights, planes ? weights_for_planes(t) : t.real(1, Layout::AsWritten));
  return t.add(ops::MatMul, {x, weights});
}

Result<Value*> einsum(Translation& t, std::vector<Value*> operands, const std::string& equation) {
  const DType dtype = operands.front()->dtype();
  if (dtype == DType::BFloat16)
    for (Value*& x : operands) {
      LAPIS_TRY(x, cast(t, x, DType::Float32));
    }
  LAPIS_TRY(Value * y, t.add(ops::Einsum, std::move(operands), ops::EinsumAttrs{equation}));
  return cast(t, y, dtype);
}

Result<Value*> einsum(Translation& t, const std::string& equation) {
  std::vector<Value*> operands(t.input_count());
  for (size_t i = 0; i < operands.size(); ++i) {
    LAPIS_TRY(operands[i], t.real(i, Layout::AsWritten));
  }
  return einsum(t, std::move(operands), equation);
}

}  // namespace lapis::frontend
