#include "codegen/lower/scalar.h"

#include <cmath>
#include <numbers>
#include <unordered_map>

#include "ir/op.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

bool is_half(DType type) { return type == DType::Float16 || type == DType::BFloat16; }
// What arithmetic on a type happens in: halves compute in float and are rounded once, at the end of the operator.
DType arithmetic(DType type) { return is_half(type) ? DType::Float32 : type; }

// What a row of the table sees: the node, its operands as instructions, and shorthands that keep the arithmetic type.
class Scalar {
 public:
  Scalar(const Node& node, Program& program, const Operand& operand) : node(node), p_(program), operand_(operand) {}
  int as_is(size_t i) const { return operand_(i); }
  int in(size_t i) { return widened(operand_(i)); }
  int widened(int id) { return to(arithmetic(type_of(id)), id); }
  bool has(size_t i) const { return node.input(i) != nullptr; }
  DType result_type() const { return node.output()->dtype(); }
  DType type() const { return arithmetic(result_type()); }
  DType type_of(int id) const { return p_[id].type; }
  template <class T> T attrs() const { return node.attrs<T>(); }

  int op(Op op, int a, int b = -1, int c = -1) { return p_.add(op, type(), {a, b, c}); }
  int as(DType type, Op op, int a, int b = -1, int c = -1) { return p_.add(op, type, {a, b, c}); }
  int to(DType type, int a) { return type_of(a) == type ? a : as(type, Op::Cast, a); }
  int k(Immediate value) { return p_.constant(type(), value); }
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

int identity(Scalar& s) { return s.as_is(0); }
int cast(Scalar& s) { return s.to(s.result_type(), s.as_is(0)); }

// A bound that is NaN does not bind.
bool binds(const Scalar& s, size_t i) {
  const auto bound = scalar_constant(s.node.input(i));
  return s.has(i) && !(bound && std::isnan(bound->as_double()));
}
int clip(Scalar& s) {
  int x = s.in(0);
  if (binds(s, 1)) x = s.op(Op::AtLeast, x, s.in(1));
  if (binds(s, 2)) x = s.op(Op::AtMost, x, s.in(2));
  return x;
}

int relu(Scalar& s) { return s.op(Op::AtLeast, s.in(0), s.k(0)); }

int scaled_if_negative(Scalar& s, int slope) {
  const int x = s.in(0);
  return s.select(s.less(x, s.k(0)), s.mul(x, slope), x);
}
int leaky_relu(Scalar& s) { return scaled_if_negative(s, s.k(s.attrs<ops::LeakyReluAttrs>().alpha)); }
int prelu(Scalar& s) { return scaled_if_negative(s, s.in(1)); }

// alpha * (exp(x) - 1) below zero
int exponential_tail(Scalar& s, double alpha, double gamma) {
  const int x = s.in(0), tail = s.mul(s.k(alpha), s.op(Op::Expm1, x));
  const int y = s.select(s.less(x, s.k(0)), tail, x);
  return gamma == 1 ? y : s.mul(s.k(gamma), y);
}
int elu(Scalar& s) { return exponential_tail(s, s.attrs<ops::AlphaAttrs>().alpha, 1); }
int selu(Scalar& s) {
  const auto a = s.attrs<ops::SeluAttrs>();
  return exponential_tail(s, a.alpha, a.gamma);
}
int celu(Scalar& s) {
  const double alpha = s.attrs<ops::AlphaAttrs>().alpha;
  const int x = s.in(0);
  const int tail = s.mul(s.k(alpha), s.op(Op::Expm1, s.op(Op::Div, x, s.k(alpha))));
  return s.select(s.less(s.k(0), x), x, tail);
}

int unit_clamp(Scalar& s, int x) { return s.op(Op::AtLeast, s.op(Op::AtMost, x, s.k(1)), s.k(0)); }
int hard_sigmoid_of(Scalar& s, double alpha, double beta) {
  return unit_clamp(s, s.add(s.mul(s.k(alpha), s.in(0)), s.k(beta)));
}
int hard_sigmoid(Scalar& s) {
  const auto a = s.attrs<ops::HardSigmoidAttrs>();
  return hard_sigmoid_of(s, a.alpha, a.beta);
}
int hard_swish(Scalar& s) { return s.mul(s.in(0), hard_sigmoid_of(s, static_cast<float>(1.0 / 6), 0.5)); }

// By functions that are accurate in their lower tails, where 1 + erf(x) and 1 + tanh(x) = 2 sigmoid(2 x) would cancel.
int gelu(Scalar& s) {
  const int x = s.in(0);
  if (s.attrs<ops::GeluAttrs>().approximate != "tanh") return s.mul(x, s.op(Op::NormalCdf, x));
  const int cubic = s.mul(s.mul(s.mul(x, x), x), s.k(0.044715));
  return s.mul(x, s.op(Op::Sigmoid, s.mul(s.k(2 * std::sqrt(2 / std::numbers::pi)), s.add(x, cubic))));
}

// log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(-|x|))
int softplus_of(Scalar& s, int x) {
  const int decay = s.op(Op::Exp, s.op(Op::Neg, s.op(Op::Abs, x)));
  return s.add(s.op(Op::AtLeast, x, s.k(0)), s.op(Op::Log1p, decay));
}
int softplus(Scalar& s) { return softplus_of(s, s.in(0)); }
int mish(Scalar& s) { return s.mul(s.in(0), s.op(Op::Tanh, softplus_of(s, s.in(0)))); }
int swish(Scalar& s) {
  return s.mul(s.in(0), s.op(Op::Sigmoid, s.mul(s.k(s.attrs<ops::AlphaAttrs>().alpha), s.in(0))));
}
int softsign(Scalar& s) { return s.op(Op::Div, s.in(0), s.add(s.k(1), s.op(Op::Abs, s.in(0)))); }
int thresholded_relu(Scalar& s) {
  return s.select(s.less(s.k(s.attrs<ops::AlphaAttrs>().alpha), s.in(0)), s.in(0), s.k(0));
}

// ---- Pow ----

// The type that both operands fit, so that nothing is lost before the power is taken.
DType power_type(DType base, DType exponent, const std::optional<Immediate>& constant) {
  if (is_integer(base) && is_integer(exponent)) {
    if (exponent == DType::UInt64) return exponent;
    return exponent == DType::Int64 || exponent == DType::UInt32 ? DType::Int64 : base;
  }
  if (is_integer(base) || base == DType::Float64) return DType::Float64;
  if (constant && static_cast<double>(static_cast<float>(constant->as_double())) == constant->as_double())
    return DType::Float32;
  return exponent == DType::Float64 || (is_integer(exponent) && bit_width(exponent) > 16) ? DType::Float64
                                                                                          : DType::Float32;
}

// The square root, but of -0 it is +0 and of -infinity it is infinity.
int half_power(Scalar& s, int x) {
  const int root = s.op(Op::Sqrt, s.add(x, s.k(0)));
  return s.select(s.as(DType::Bool, Op::Equal, x, s.k(-INFINITY)), s.k(INFINITY), root);
}

int power(Scalar& s) {
  const int x = s.in(0);
  const Value* exponent = s.node.input(1);
  const std::optional<Immediate> constant = scalar_constant(exponent);
  const double value = constant ? constant->as_double() : NAN;
  // An integer to the power of a real number is a real number, which saturates instead of wrapping.
  const bool same_kind = is_float(s.type()) || is_integer(exponent->dtype());
  if (same_kind && value == 2) return s.mul(x, x);
  if (same_kind && value == 1) return x;
  if (is_float(s.type()) && value == 0.5) return half_power(s, x);
  const DType type = power_type(s.type(), arithmetic(exponent->dtype()), constant);
  return s.to(s.type(), s.as(type, Op::Pow, s.to(type, x), s.to(type, s.in(1))));
}

int modulo(Scalar& s) { return s.op(s.attrs<ops::ModAttrs>().fmod ? Op::FMod : Op::Mod, s.in(0), s.in(1)); }

int mean(Scalar& s) {
  const int sum = variadic<Op::Add>(s);
  return s.op(Op::Div, sum, s.k(static_cast<double>(s.node.inputs().size())));
}

int where(Scalar& s) { return s.as(s.result_type(), Op::Select, s.as_is(0), s.as_is(1), s.as_is(2)); }

// Zero point as an instruction of the quantized type, or -1 for "0".
int quantize(Scalar& s) {
  const auto scale = scalar_constant(s.node.input(1));
  const auto zero = s.has(2) ? scalar_constant(s.node.input(2)) : std::optional(Immediate(0));
  const int x = s.in(0);
  if (scale && zero) return s.raw({Op::Quantize, s.type(), {x, -1, -1}, -1, *scale, *zero});
  // Per channel: divide and round first, then quantize the sum, which is whole already, with scale 1.
  int units = s.as(DType::Float32, Op::Div, s.to(DType::Float32, x), s.in(1));
  if (s.has(2))
    units = s.as(DType::Float32, Op::Add, s.as(DType::Float32, Op::RoundEven, units), s.to(DType::Float32, s.in(2)));
  return s.raw({Op::Quantize, s.type(), {units, -1, -1}, -1, 1.0, 0});
}

int dequantize(Scalar& s) {
  const auto scale = scalar_constant(s.node.input(1));
  const auto zero = s.has(2) ? scalar_constant(s.node.input(2)) : std::optional(Immediate(0));
  const int x = s.in(0);
  if (scale && zero) return s.raw({Op::Dequantize, s.type(), {x, -1, -1}, -1, *scale, *zero});
  int centred = s.to(DType::Int32, x);
  if (s.has(2)) centred = s.as(DType::Int32, Op::Sub, centred, s.to(DType::Int32, s.in(2)));
  return s.mul(s.to(s.type(), centred), s.in(1));
}

// (x - mean) / sqrt(var + epsilon) * scale + bias with per-channel operands, in the widest of their types
int batch_normalization(Scalar& s) {
  DType type = s.type();
  for (const Value* v : s.node.inputs())
    if (v && v->dtype() == DType::Float64) type = DType::Float64;
  auto in = [&](size_t i) { return s.to(type, s.in(i)); };
  const int epsilon = s.to(type, s.k(s.attrs<ops::BatchNormalizationAttrs>().epsilon));
  const int deviation = s.as(type, Op::Sqrt, s.as(type, Op::Add, in(4), epsilon));
  const int normal = s.as(type, Op::Div, s.as(type, Op::Sub, in(0), in(3)), deviation);
  return s.to(s.type(), s.as(type, Op::Add, s.as(type, Op::Mul, normal, in(1)), in(2)));
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
  if (node.is(ops::IsInf)) {
    const auto a = node.attrs<ops::IsInfAttrs>();
    return a.detect_negative && a.detect_positive;
  }
  const bool quantizes = node.is(ops::QuantizeLinear), dequantizes = node.is(ops::DequantizeLinear);
  if (quantizes || dequantizes) {
    const Type& scale = node.input(1)->type();
    const int64_t block = quantizes ? node.attrs<ops::QuantizeLinearAttrs>().block_size
                                    : node.attrs<ops::DequantizeLinearAttrs>().block_size;
    return block == 0 && scale.ranked() && scale.rank() <= 1 && scale.dtype == DType::Float32;
  }
  return !node.is(ops::BatchNormalization) || !node.attrs<ops::BatchNormalizationAttrs>().training_mode;
}

}  // namespace

int Program::add(Instr instr) {
  for (size_t i = 0; i < instrs.size(); ++i)
    if (instrs[i] == instr) return static_cast<int>(i);
  instrs.push_back(instr);
  return static_cast<int>(instrs.size()) - 1;
}

std::optional<Immediate> scalar_constant(const Value* value) {
  if (!value || !value->is_constant() || value->constant().size() != 1 || value->dtype() == DType::String)
    return std::nullopt;
  return Immediate::element(value->constant(), 0);
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
  return scalar.to(node.output()->dtype(), table().at(node.op().name)(scalar));
}

}  // namespace lapis::codegen
