// FULLY_CONNECTED.
#include "frontends/tflite/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

Status check_product(const Translation& t) {
  const Type& weights = t.input(1).type;
  if (!weights.ranked() || weights.rank() != 2 || weights.dim(1).is(0))
    return error(ErrorKind::Input, "its weights are " + weights.to_string() + ", not [results, operands]");
  if (!weights.is_static()) return Translation::unsupported("weights of open size");
  if (t.get<int64_t>("weights_format", 0) != 0) return Translation::unsupported("shuffled weights");
  return check_bias(t);
}

// Data [rows, K] times weights [N, K]. Where the data lies in planes, the weights are turned to go with it.
Result<Value*> product(Translation& t) {
  const int64_t width = t.input(1).type.dim(1).value(), channels = t.channels(0);
  const auto& q = t.input(1).quantization;
  const bool planes = t.layout(0) == Layout::FlattenedPlanes && t.input(0).type.dim(1).is(width) &&
                      t.input(1).constant.defined() && (!q || q->axis == 0);
  LAPIS_TRY(Value * x, t.real(0, planes ? Layout::FlattenedPlanes : Layout::AsWritten));
  LAPIS_TRY(Value * weights, planes ? t.parameter_for_planes(1, channels) : t.parameter(1, {0, 1}));
  if (!x->type().ranked() || x->type().rank() != 2) {
    LAPIS_TRY(x, t.add(ops::Reshape, {x, t.constant(Tensor::vector<int64_t>({-1, width}))}));
  }
  std::vector<Value*> inputs = {x, weights};
  if (t.has(2)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(2, Layout::AsWritten));
  }
  return t.add(ops::Gemm, inputs, ops::GemmAttrs{.transB = true});
}

// The same on the last axis of more than two.
Result<Value*> product_of_last_axis(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * weights, t.parameter(1, {1, 0}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {x, weights}));
  if (!t.has(2)) return y;
  LAPIS_TRY(Value * bias, t.real(2, Layout::AsWritten));
  return t.add(ops::Add, {y, bias});
}

}  // namespace

Status fully_connected(Translation& t) {
  LAPIS_CHECK(check_product(t));
  const bool keeps_axes = t.get<bool>("keep_num_dims", false) && t.input(0).type.ranked() && t.input(0).type.rank() > 2;
  LAPIS_TRY(Value * y, keeps_axes ? product_of_last_axis(t) : product(t));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tflite_frontend
