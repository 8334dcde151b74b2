// Convolutions and their integer forms.
#include "codegen/lower/ops/families.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

Status constant_weights(const Node& node) {
  const Value *x = node.input(0), *weights = node.input(static_cast<size_t>(row_of(node)->product->weights));
  if (!weights->is_constant()) return refuse("the weights are not constant");
  const bool floating = allows(kKernelFloats, x->dtype()) && weights->dtype() == x->dtype();
  const bool integer = is_quantized_storage(x->dtype()) && weights->dtype() == DType::Int8;
  if (floating || integer) return ok();
  return refuse("no kernel for " + std::string(name_of(x->dtype())) + " x " + std::string(name_of(weights->dtype())) +
                " weights");
}

Status symmetric_weights(const Node& node, size_t zero_point) {
  LAPIS_CHECK(constant_weights(node));
  if (!zero_or_absent(node.input(zero_point))) return refuse("weights with a zero point other than 0");
  return ok();
}

Status integer_convolution(const Node& node) {
  LAPIS_CHECK(symmetric_weights(node, 3));
  return constant_scalars(node, {2});
}

Status requantized_convolution(const Node& node) {
  LAPIS_CHECK(symmetric_weights(node, 5));
  LAPIS_CHECK(constant_scalars(node, {1, 2, 6, 7}));
  if (!node.input(4)->is_constant()) return refuse("the scales of the weights are not constant");
  return ok();
}

double zero(const Node&) { return 0; }
double zero_point(const Node& node) { return scalar_constant(node.input(2)).value_or(0).as_double(); }

constexpr Product kConv{1, 2, -1, -1, false}, kConvInteger{1, -1, 2, 3, false}, kQLinearConv{3, 8, 2, 5, true};

}  // namespace

OpLowerings convolution_rows() {
  return {
      code_for(ops::Conv).contraction(constant_weights, kConv).window(zero),
      code_for(ops::ConvInteger).contraction(integer_convolution, kConvInteger).window(zero_point),
      code_for(ops::QLinearConv).contraction(requantized_convolution, kQLinearConv).window(zero_point),
  };
}

}  // namespace lapis::codegen
