#include "passes/quantize/roles.h"

#include <algorithm>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"
#include "passes/quantize/params.h"

namespace lapis {

namespace {

bool is_float_constant(const Value* v) { return v && v->is_constant() && v->dtype() == DType::Float32; }

Diagnostic refuse(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

// One value per output channel, as int8 kernels want it: [n], [1,n] or a single element.
bool is_per_column(const Value& bias, int64_t columns) {
  const Tensor& t = bias.constant();
  return t.size() == 1 || (t.size() == columns && t.dim(-1) == columns);
}

Result<ContractionRole> gemm_role(const Node& node) {
  const auto a = node.attrs<ops::GemmAttrs>();
  if (a.transA) return refuse("A is transposed");
  if (a.alpha != 1 || (node.input(2) && a.beta != 1)) return refuse("alpha or beta is not 1");
  return ContractionRole{node.input(0), node.input(1), node.input(2), a.transB ? 0 : 1};
}

Result<ContractionRole> operands_of(const Node& node) {
  if (node.is(ops::Conv)) return ContractionRole{node.input(0), node.input(1), node.input(2), 0};
  if (node.is(ops::Gemm)) return gemm_role(node);
  if (node.is(ops::MatMul)) return ContractionRole{node.input(0), node.input(1), nullptr, 1};
  return refuse("there is no int8 form of " + std::string(node.op().name));
}

}  // namespace

Result<ContractionRole> contraction_role(const Node& node) {
  LAPIS_TRY(const ContractionRole role, operands_of(node));
  if (role.data->is_constant()) return refuse("its data operand is constant");
  if (role.data->dtype() != DType::Float32)
    return refuse("its data is " + std::string(name_of(role.data->dtype())) + ", only float32 is quantized");
  if (!role.weight->is_constant()) return refuse("the second operand is not constant");
  if (!is_float_constant(role.weight)) return refuse("the weights are not float32");
  if (node.is(ops::MatMul) && role.weight->type().rank() != 2) return refuse("the weights are not a matrix");
  if (role.bias && !is_float_constant(role.bias)) return refuse("the bias is not constant");
  if (role.bias && !is_per_column(*role.bias, role.weight->constant().dim(role.axis)))
    return refuse("the bias is not one value per output channel");
  if (!fits_accumulator(role.weight->constant(), role.axis)) return refuse("its sums may exceed 32 bits");
  return role;
}

Quant quant_of(const Node& node) {
  if (node.is(ops::Div) && is_float_constant(node.input(1))) return Quant::Elementwise;
  return node.op().int8_form();
}

std::vector<Value*> data_operands(const Node& node) {
  std::vector<Value*> operands;
  for (Value* v : node.inputs())
    if (v && !v->is_constant() && v->dtype() == DType::Float32) operands.push_back(v);
  return operands;
}

std::vector<Value*> data_outputs(const Node& node) {
  std::vector<Value*> outputs;
  for (Value* v : node.outputs())
    if (v && v->dtype() == DType::Float32) outputs.push_back(v);
  return outputs;
}

static bool all_zero(const Tensor& t) {
  for (int64_t i = 0; i < t.size(); ++i)
    if (t.as_double(i) != 0) return false;
  return true;
}

static bool may_choose_from_nothing(const Node& node) {
  if (!node.is(ops::MaxPool)) return false;
  const Type& x = node.input(0)->type();
  return !x.ranked() || !ops::pool_window(node.attrs<ops::MaxPoolAttrs>()).meets(x);
}

std::optional<std::string> refuses_bytes(const Node& node) {
  const bool parameters_are_floats = node.is(ops::Pad) || node.is(ops::Resize);
  if (!parameters_are_floats && std::any_of(node.inputs().begin(), node.inputs().end(), is_float_constant))
    return "one of its operands is a constant";
  if (node.is(ops::Pad) && node.input(2) && !(node.input(2)->is_constant() && all_zero(node.input(2)->constant())))
    return "it pads with another value than 0";
  if (may_choose_from_nothing(node))
    return "a window may lie in its padding alone, where -inf is the largest and no byte is";
  return std::nullopt;
}

static float bound_or(const Value* bound, float otherwise) {
  return bound ? static_cast<float>(bound->constant().as_double(0)) : otherwise;
}

std::optional<Range> activation_bounds(const Node& node) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (node.is(ops::Relu)) return Range{0, kInfinity};
  if (!node.is(ops::Clip)) return std::nullopt;
  const Value *low = node.input(1), *high = node.input(2);
  if ((low && !low->is_constant()) || (high && !high->is_constant())) return std::nullopt;
  const Range range{bound_or(low, -kInfinity), bound_or(high, kInfinity)};
  if (!(range.low <= range.high)) return std::nullopt;  // bounds that cross or are no numbers
  return range;
}

}  // namespace lapis
