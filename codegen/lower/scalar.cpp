#include "codegen/lower/scalar.h"

#include <cmath>
#include <numbers>
#include <unordered_map>

#include "ir/op.h"

namespace lapis::codegen {
namespace {

// What a row of the table sees: the node, its operands as instructions, and shorthands that keep the result type.
class Scalar {
 public:
  Scalar(const Node& node, Program& program, const Operand& operand) : node(node), p_(program), operand_(operand) {}
  int in(size_t i) const { return operand_(i); }
  bool has(size_t i) const { return node.input(i) != nullptr; }
  DType type() const { return node.output()->dtype(); }
  DType type_of(int id) const { return p_[id].type; }
  float attr(std::string_view name, float fallback) const { return attribute_or(node, name, fallback); }

  int op(Op op, int a, int b = -1, int c = -1) { return p_.add(op, type(), {a, b, c}); }
  int as(DType type, Op op, int a, int b = -1, int c = -1) { return p_.add(op, type, {a, b, c}); }
  int k(double value) { return p_.constant(type(), value); }
  int k(DType type, double value) { return p_.constant(type, value); }
  int raw(Instr instr) { return p_.add(instr); }

  int mul(int a, int b) { return op(Op::Mul, a, b); }
  int add(int a, int b) { return op(Op::Add, a, b); }
  int sub(int a, int b) { return op(Op::Sub, a, b); }
  int less(int a, int b) { return as(DType::Bool, Op::Less, a, b); }
  int select(int condition, int a, int b) { return op(Op::Select, condition, a, b); }

  const Node& node;

 private:
  Program& p_;
  const Operand& operand_;
};

using Translate = int (*)(Scalar&);

template <Op kOp> int unary(Scalar& s) { return s.op(kOp, s.in(0)); }
template <Op kOp> int binary(Scalar& s) { return s.op(kOp, s.in(0), s.in(1)); }
template <Op kOp> int variadic(Scalar& s) {
  int result = s.in(0);
  for (size_t i = 1; i < s.node.inputs().size(); ++i) result = s.op(kOp, result, s.in(i));
  return result;
}
template <Op kOp> int compare(Scalar& s) { return s.as(DType::Bool, kOp, s.in(0), s.in(1)); }
template <Op kOp> int compare_swapped(Scalar& s) { return s.as(DType::Bool, kOp, s.in(1), s.in(0)); }

int identity(Scalar& s) { return s.in(0); }

int cast(Scalar& s) {
  const int x = s.in(0);
  return s.type_of(x) == s.type() ? x : s.op(Op::Cast, x);
}

int clip(Scalar& s) {
  int x = s.in(0);
  if (s.has(1)) x = s.op(Op::Max, x, s.in(1));
  if (s.has(2)) x = s.op(Op::Min, x, s.in(2));
  return x;
}

int relu(Scalar& s) { return s.op(Op::Max, s.in(0), s.k(0)); }

int scaled_if_negative(Scalar& s, int slope) {
  const int x = s.in(0);
  return s.select(s.less(x, s.k(0)), s.mul(x, slope), x);
}
int leaky_relu(Scalar& s) { return scaled_if_negative(s, s.k(s.attr("alpha", 0.01f))); }
int prelu(Scalar& s) { return scaled_if_negative(s, s.in(1)); }

// alpha * (exp(x) - 1) below zero
int exponential_tail(Scalar& s, double alpha, double gamma) {
  const int x = s.in(0), tail = s.mul(s.k(alpha), s.sub(s.op(Op::Exp, s.op(Op::Min, x, s.k(0))), s.k(1)));
  const int y = s.select(s.less(x, s.k(0)), tail, x);
  return gamma == 1 ? y : s.mul(s.k(gamma), y);
}
int elu(Scalar& s) { return exponential_tail(s, s.attr("alpha", 1.0f), 1); }
int selu(Scalar& s) {
  return exponential_tail(s, s.attr("alpha", 1.67326319217681884765625f), s.attr("gamma", 1.05070102214813232421875f));
}
int celu(Scalar& s) {
  const double alpha = s.attr("alpha", 1.0f);
  const int x = s.in(0), negative = s.op(Op::Min, x, s.k(0));
  const int tail = s.mul(s.k(alpha), s.sub(s.op(Op::Exp, s.op(Op::Div, negative, s.k(alpha))), s.k(1)));
  return s.add(s.op(Op::Max, x, s.k(0)), tail);
}

int unit_clamp(Scalar& s, int x) { return s.op(Op::Max, s.k(0), s.op(Op::Min, s.k(1), x)); }
int hard_sigmoid_of(Scalar& s, double alpha, double beta) {
  return unit_clamp(s, s.add(s.mul(s.k(alpha), s.in(0)), s.k(beta)));
}
int hard_sigmoid(Scalar& s) { return hard_sigmoid_of(s, s.attr("alpha", 0.2f), s.attr("beta", 0.5f)); }
int hard_swish(Scalar& s) { return s.mul(s.in(0), hard_sigmoid_of(s, static_cast<float>(1.0 / 6), 0.5)); }

int gelu(Scalar& s) {
  const int x = s.in(0), half = s.mul(s.k(0.5), x);
  if (attribute_or<std::string>(s.node, "approximate", "none") == "tanh") {
    const int cubic = s.mul(s.mul(s.mul(x, x), x), s.k(0.044715));
    const int inner = s.mul(s.k(std::sqrt(2 / std::numbers::pi)), s.add(x, cubic));
    return s.mul(half, s.add(s.k(1), s.op(Op::Tanh, inner)));
  }
  return s.mul(half, s.add(s.k(1), s.op(Op::Erf, s.mul(x, s.k(1 / std::numbers::sqrt2)))));
}

// log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(-|x|))
int softplus_of(Scalar& s, int x) {
  const int decay = s.op(Op::Exp, s.op(Op::Neg, s.op(Op::Abs, x)));
  return s.add(s.op(Op::Max, x, s.k(0)), s.op(Op::Log, s.add(s.k(1), decay)));
}
int softplus(Scalar& s) { return softplus_of(s, s.in(0)); }
int mish(Scalar& s) { return s.mul(s.in(0), s.op(Op::Tanh, softplus_of(s, s.in(0)))); }
int swish(Scalar& s) { return s.mul(s.in(0), s.op(Op::Sigmoid, s.mul(s.k(s.attr("alpha", 1.0f)), s.in(0)))); }
int softsign(Scalar& s) { return s.op(Op::Div, s.in(0), s.add(s.k(1), s.op(Op::Abs, s.in(0)))); }
int thresholded_relu(Scalar& s) { return s.select(s.less(s.k(s.attr("alpha", 1.0f)), s.in(0)), s.in(0), s.k(0)); }

int power(Scalar& s) {
  const int x = s.in(0);
  const std::optional<double> exponent = scalar_constant(s.node.input(1));
  if (exponent == 2.0) return s.mul(x, x);
  if (exponent == 1.0) return x;
  if (exponent == 0.5 && is_float(s.type())) return s.op(Op::Sqrt, x);
  const int y = s.in(1);
  return s.op(Op::Pow, x, s.type_of(y) == s.type() ? y : s.op(Op::Cast, y));
}

int modulo(Scalar& s) { return s.op(attribute_or<int64_t>(s.node, "fmod", 0) ? Op::FMod : Op::Mod, s.in(0), s.in(1)); }

int mean(Scalar& s) {
  const int sum = variadic<Op::Add>(s);
  return s.op(Op::Div, sum, s.k(static_cast<double>(s.node.inputs().size())));
}

int where(Scalar& s) { return s.select(s.in(0), s.in(1), s.in(2)); }

// Zero point as an instruction of the quantized type, or -1 for "0".
int quantize(Scalar& s) {
  const auto scale = scalar_constant(s.node.input(1));
  const auto zero = s.has(2) ? scalar_constant(s.node.input(2)) : std::optional(0.0);
  const int x = s.in(0);
  if (scale && zero) return s.raw({Op::Quantize, s.type(), {x, -1, -1}, -1, *scale, *zero});
  // Per channel: divide first, round and saturate on the int32 sum.
  const int quotient = s.as(DType::Float32, Op::Div, x, s.in(1));
  if (!s.has(2)) return s.raw({Op::Quantize, s.type(), {quotient, -1, -1}, -1, 1, 0});
  const int rounded = s.as(DType::Float32, Op::RoundEven, quotient);
  return s.op(Op::Cast, s.as(DType::Float32, Op::Add, rounded, s.as(DType::Float32, Op::Cast, s.in(2))));
}

int dequantize(Scalar& s) {
  const auto scale = scalar_constant(s.node.input(1));
  const auto zero = s.has(2) ? scalar_constant(s.node.input(2)) : std::optional(0.0);
  const int x = s.in(0);
  if (scale && zero) return s.raw({Op::Dequantize, s.type(), {x, -1, -1}, -1, *scale, *zero});
  int centred = s.as(DType::Int32, Op::Cast, x);
  if (s.has(2)) centred = s.as(DType::Int32, Op::Sub, centred, s.as(DType::Int32, Op::Cast, s.in(2)));
  return s.op(Op::Mul, s.op(Op::Cast, centred), s.in(1));
}

// (x - mean) / sqrt(var + epsilon) * scale + bias with per-channel operands
int batch_normalization(Scalar& s) {
  const int deviation = s.op(Op::Sqrt, s.add(s.in(4), s.k(s.attr("epsilon", 1e-5f))));
  const int normal = s.op(Op::Div, s.sub(s.in(0), s.in(3)), deviation);
  return s.add(s.mul(normal, s.in(1)), s.in(2));
}

const std::unordered_map<std::string_view, Translate>& table() {
  static const std::unordered_map<std::string_view, Translate> kTable = {
      {"Identity", identity},
      {"Cast", cast},
      {"CastLike", cast},
      {"Clip", clip},
      {"Relu", relu},
      {"LeakyRelu", leaky_relu},
      {"PRelu", prelu},
      {"Elu", elu},
      {"Selu", selu},
      {"Celu", celu},
      {"HardSigmoid", hard_sigmoid},
      {"HardSwish", hard_swish},
      {"Gelu", gelu},
      {"Softplus", softplus},
      {"Mish", mish},
      {"Swish", swish},
      {"Softsign", softsign},
      {"ThresholdedRelu", thresholded_relu},
      {"Pow", power},
      {"Mod", modulo},
      {"Mean", mean},
      {"Where", where},
      {"QuantizeLinear", quantize},
      {"DequantizeLinear", dequantize},
      {"BatchNormalization", batch_normalization},
      {"Add", binary<Op::Add>},
      {"Sub", binary<Op::Sub>},
      {"Mul", binary<Op::Mul>},
      {"Div", binary<Op::Div>},
      {"Min", variadic<Op::Min>},
      {"Max", variadic<Op::Max>},
      {"Sum", variadic<Op::Add>},
      {"And", binary<Op::And>},
      {"Or", binary<Op::Or>},
      {"Xor", binary<Op::Xor>},
      {"Not", unary<Op::Not>},
      {"BitwiseAnd", binary<Op::And>},
      {"BitwiseOr", binary<Op::Or>},
      {"BitwiseXor", binary<Op::Xor>},
      {"BitwiseNot", unary<Op::Not>},
      {"Equal", compare<Op::Equal>},
      {"Less", compare<Op::Less>},
      {"LessOrEqual", compare<Op::LessOrEqual>},
      {"Greater", compare_swapped<Op::Less>},
      {"GreaterOrEqual", compare_swapped<Op::LessOrEqual>},
      {"Neg", unary<Op::Neg>},
      {"Abs", unary<Op::Abs>},
      {"Sign", unary<Op::Sign>},
      {"Floor", unary<Op::Floor>},
      {"Ceil", unary<Op::Ceil>},
      {"Round", unary<Op::RoundEven>},
      {"Sqrt", unary<Op::Sqrt>},
      {"Reciprocal", unary<Op::Reciprocal>},
      {"Exp", unary<Op::Exp>},
      {"Log", unary<Op::Log>},
      {"Sin", unary<Op::Sin>},
      {"Cos", unary<Op::Cos>},
      {"Tan", unary<Op::Tan>},
      {"Asin", unary<Op::Asin>},
      {"Acos", unary<Op::Acos>},
      {"Atan", unary<Op::Atan>},
      {"Sinh", unary<Op::Sinh>},
      {"Cosh", unary<Op::Cosh>},
      {"Tanh", unary<Op::Tanh>},
      {"Asinh", unary<Op::Asinh>},
      {"Acosh", unary<Op::Acosh>},
      {"Atanh", unary<Op::Atanh>},
      {"Erf", unary<Op::Erf>},
      {"Sigmoid", unary<Op::Sigmoid>},
      {"IsNaN", [](Scalar& s) { return s.as(DType::Bool, Op::IsNaN, s.in(0)); }},
      {"IsInf", [](Scalar& s) { return s.as(DType::Bool, Op::IsInf, s.in(0)); }},
  };
  return kTable;
}

bool plain_type(const Value* v) {
  return !v || (v->type().is_tensor() && v->dtype() != DType::String && bit_width(v->dtype()) >= 8);
}

// Attributes that give an operator another meaning than the row of the table has.
bool plain_attributes(const Node& node) {
  const std::string_view name = node.op().name;
  if (name == "IsInf")
    return attribute_or<int64_t>(node, "detect_negative", 1) && attribute_or<int64_t>(node, "detect_positive", 1);
  if (name == "QuantizeLinear" || name == "DequantizeLinear") {
    const auto scale = node.input(1)->type();
    return attribute_or<int64_t>(node, "block_size", 0) == 0 && scale.ranked() && scale.rank() <= 1 &&
           scale.dtype == DType::Float32;
  }
  return name != "BatchNormalization" || attribute_or<int64_t>(node, "training_mode", 0) == 0;
}

}  // namespace

int Program::add(Instr instr) {
  for (size_t i = 0; i < instrs.size(); ++i)
    if (instrs[i] == instr) return static_cast<int>(i);
  instrs.push_back(instr);
  return static_cast<int>(instrs.size()) - 1;
}

int Program::constant(DType type, double value) { return add({Op::Constant, type, {-1, -1, -1}, -1, value, 0}); }

std::optional<double> scalar_constant(const Value* value) {
  if (!value || !value->is_constant() || value->constant().size() != 1 || value->dtype() == DType::String)
    return std::nullopt;
  return value->constant().as_double(0);
}

bool is_scalar(const Node& node) {
  if (!node.op().domain.empty() || !table().contains(node.op().name)) return false;
  for (const Value* v : node.inputs())
    if (!plain_type(v)) return false;
  return plain_type(node.output()) && plain_attributes(node);
}

int translate(const Node& node, Program& program, const Operand& operand) {
  LAPIS_ASSERT(is_scalar(node), "no scalar form of " << node.op().name);
  Scalar scalar(node, program, operand);
  return table().at(node.op().name)(scalar);
}

}  // namespace lapis::codegen
