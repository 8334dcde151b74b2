// Functions of one operand without parameters: each row is the operator's name, the schema version, its function and
// what passes may rely on.
#include <cmath>
#include <functional>

#include "ir/ops/elementwise.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kSigned = kFloats | kSignedIntegers;

struct Facts {
  Traits more = 0;
  Quant quant = Quant::KeepFloat;
};
constexpr Facts kPlain = {};
constexpr Facts kMonotonic = {static_cast<Traits>(Trait::Monotonic)};
constexpr Facts kActivation = {0, Quant::Elementwise};
constexpr Facts kMonotonicActivation = {static_cast<Traits>(Trait::Monotonic), Quant::Elementwise};

OpDef row(std::string_view name, int since, TypeSet types, EvaluateFn evaluate, Facts facts, std::string_view doc) {
  return op(name)
      .since(since)
      .doc(doc)
      .in("X", types)
      .out("Y", types)
      .infer(infer_same)
      .evaluate(evaluate)
      .traits(Trait::Pure | Trait::Elementwise | facts.more)
      .quant(facts.quant);
}

// IEEE arithmetic of the operand's own type.
template <auto function, TypeSet types = kFloats>
OpDef exact(std::string_view name, int since, Facts facts, std::string_view doc) {
  return row(name, since, types, evaluate_unary<types, function>, facts, doc);
}

// ONNX calls the operands of a part of the family input and output.
OpDef spelled_out(OpDef def) {
  def.inputs[0].name = "input";
  def.outputs[0].name = "output";
  return def;
}

// In double, rounded once.
template <auto function> OpDef curve(std::string_view name, int since, Facts facts, std::string_view doc) {
  return row(name, since, kFloats, evaluate_transcendental<function>, facts, doc);
}
template <auto function> OpDef smooth(std::string_view name, int since, Facts facts, std::string_view doc) {
  return spelled_out(curve<function>(name, since, facts, doc));
}

template <auto function> Status evaluate_predicate(EvalContext& c) {
  Tensor& y = c.out(0, DType::Bool, c.in(0).shape());
  visit_types<kFloats>(c.in(0).dtype(), [&](auto tag) { map<decltype(tag), bool>(c.in(0), y, function); });
  return ok();
}

Status evaluate_not(EvalContext& c) {
  map<bool, bool>(c.in(0), c.out(0, DType::Bool, c.in(0).shape()), std::logical_not<>());
  return ok();
}

Status evaluate_identity(EvalContext& c) {
  c.set_out(0, c.in(0));
  return ok();
}

template <class T> T negated(T x) {
  if constexpr (std::is_integral_v<T>)
    return wrapping(std::minus<>(), T(0), x);
  else
    return -x;
}
template <class T> T absolute(T x) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>)
    return x < 0 ? negated(x) : x;
  else if constexpr (std::is_integral_v<T>)
    return x;
  else
    return std::fabs(x);
}
template <class T> T sign(T x) { return x == T(0) || is_nan(x) ? x + T(0) : x > T(0) ? T(1) : T(-1); }
// log(1 + exp(x)) that does not overflow
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

// A reciprocal of 6 as ONNX's function body has it: rounded to float first, whatever the type.
template <class T> T hard_swish(T x) {
  const T gate = T(1.0f / 6) * x + T(0.5f);
  return x * at_least(at_most(gate, T(1)), T(0));
}

}  // namespace

const OpDef Abs =
    exact<[](auto x) { return absolute(x); }, kNumbers>("Abs", 13, kPlain, "|x|; the lowest integer stays itself.");
const OpDef Acos = smooth<[](double x) { return std::acos(x); }>("Acos", 22, kPlain, "Arc cosine, in radians.");
const OpDef Acosh =
    smooth<[](double x) { return std::acosh(x); }>("Acosh", 22, kMonotonic, "Inverse hyperbolic cosine.");
const OpDef Asin = smooth<[](double x) { return std::asin(x); }>("Asin", 22, kMonotonic, "Arc sine, in radians.");
const OpDef Asinh = smooth<[](double x) { return std::asinh(x); }>("Asinh", 22, kMonotonic, "Inverse hyperbolic sine.");
const OpDef Atan = smooth<[](double x) { return std::atan(x); }>("Atan", 22, kMonotonic, "Arc tangent, in radians.");
const OpDef Atanh =
    smooth<[](double x) { return std::atanh(x); }>("Atanh", 22, kMonotonic, "Inverse hyperbolic tangent.");
const OpDef BitwiseNot = exact<[](auto x) { return ~x; }, kIntegers>("BitwiseNot", 18, kPlain, "Every bit inverted.");
const OpDef Ceil =
    exact<[](auto x) { return std::ceil(x); }>("Ceil", 13, kMonotonic, "The least whole number not below x.");
const OpDef Cos = smooth<[](double x) { return std::cos(x); }>("Cos", 22, kPlain, "Cosine of radians.");
const OpDef Cosh = smooth<[](double x) { return std::cosh(x); }>("Cosh", 22, kPlain, "Hyperbolic cosine.");
const OpDef Erf = smooth<[](double x) { return std::erf(x); }>("Erf", 13, kMonotonic, "The error function.");
const OpDef Exp = smooth<[](double x) { return std::exp(x); }>("Exp", 13, kMonotonic, "e to the power of x.");
const OpDef Floor =
    exact<[](auto x) { return std::floor(x); }>("Floor", 13, kMonotonic, "The greatest whole number not above x.");
const OpDef HardSwish =
    exact<[](auto x) { return hard_swish(x); }>("HardSwish", 22, kActivation, "x * max(0, min(1, x / 6 + 0.5)).");
const OpDef Log = smooth<[](double x) { return std::log(x); }>("Log", 13, kMonotonic, "Natural logarithm.");
const OpDef Mish =
    curve<[](double x) { return x * std::tanh(softplus(x)); }>("Mish", 22, kActivation, "x * tanh(softplus(x)).");
const OpDef Neg =
    exact<[](auto x) { return negated(x); }, kSigned>("Neg", 13, kPlain, "-x; the lowest integer stays itself.");
const OpDef Reciprocal = exact<[](auto x) { return 1 / x; }>("Reciprocal", 13, kPlain, "1 / x.");
const OpDef Relu =
    exact<[](auto x) { return at_least(x, decltype(x)(0)); }, kSigned>("Relu", 14, kMonotonicActivation, "max(x, 0).");
const OpDef Round = exact<[](auto x) { return std::nearbyint(x); }>(
    "Round", 22, kMonotonic, "The nearest whole number, halves to the even one.");
const OpDef Sigmoid = curve<logistic>("Sigmoid", 13, kMonotonicActivation, "1 / (1 + exp(-x)).");
const OpDef Sign = spelled_out(exact<[](auto x) { return sign(x); }, kNumbers>("Sign", 13, kMonotonic, "-1, 0 or 1."));
const OpDef Sin = smooth<[](double x) { return std::sin(x); }>("Sin", 22, kPlain, "Sine of radians.");
const OpDef Sinh = smooth<[](double x) { return std::sinh(x); }>("Sinh", 22, kMonotonic, "Hyperbolic sine.");
const OpDef Softplus = curve<softplus>("Softplus", 22, kMonotonicActivation, "log(1 + exp(x)).");
const OpDef Softsign = spelled_out(
    exact<[](auto x) { return x / (1 + std::fabs(x)); }>("Softsign", 22, kMonotonicActivation, "x / (1 + |x|)."));
const OpDef Sqrt = exact<[](auto x) { return std::sqrt(x); }>("Sqrt", 13, kMonotonic, "Square root.");
const OpDef Tan = smooth<[](double x) { return std::tan(x); }>("Tan", 22, kPlain, "Tangent of radians.");
const OpDef Tanh =
    smooth<[](double x) { return std::tanh(x); }>("Tanh", 13, kMonotonicActivation, "Hyperbolic tangent.");

const OpDef Identity = op("Identity")
                           .since(25)
                           .doc("Its input, unchanged.")
                           .in("input")
                           .out("output")
                           .infer(infer_same)
                           .evaluate(evaluate_identity)
                           .propagate(propagate_same)
                           .traits(kMovement | Trait::Elementwise | Trait::Monotonic)
                           .quant(Quant::SharedScale);

const OpDef IsNaN = op("IsNaN")
                        .since(20)
                        .doc("True where x is not a number.")
                        .in("X", kFloats)
                        .out("Y", types(DType::Bool))
                        .infer(infer_predicate)
                        .evaluate(evaluate_predicate<[](auto x) { return is_nan(x); }>)
                        .traits(Trait::Pure | Trait::Elementwise);

const OpDef Not = op("Not")
                      .since(1)
                      .doc("Logical negation.")
                      .in("X", types(DType::Bool))
                      .out("Y", types(DType::Bool))
                      .infer(infer_same)
                      .evaluate(evaluate_not)
                      .traits(Trait::Pure | Trait::Elementwise);

}  // namespace lapis::ops
