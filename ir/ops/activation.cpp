// Elementwise functions with parameters: attributes, or operands beside the data.
#include <cmath>
#include <numbers>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr Traits kElementwise = Trait::Pure | Trait::Elementwise;

// IEEE arithmetic of the operand's own type, operation by operation as written.
template <class Attrs, auto function> Status evaluate_exact(EvalContext& c) {
  return evaluate_map<kFloats>(c, [a = c.attrs<Attrs>()](auto x) { return function(x, a); });
}
// In double, rounded once.
template <class Attrs, auto function> Status evaluate_smooth(EvalContext& c) {
  return evaluate_map<kFloats>(
      c, [a = c.attrs<Attrs>()](auto x) { return static_cast<decltype(x)>(function(static_cast<double>(x), a)); });
}

template <class Attrs>
OpDef row(std::string_view name, int since, EvaluateFn evaluate, std::string_view doc, Quant quant = Quant::Elementwise,
          TypeSet types = kFloats) {
  return op(name)
      .since(since)
      .doc(doc)
      .in("X", types)
      .out("Y", types)
      .attrs<Attrs>()
      .infer(infer_same)
      .evaluate(evaluate)
      .traits(kElementwise)
      .quant(quant);
}

double celu(double x, const AlphaAttrs& a) { return x > 0 ? x : a.alpha * std::expm1(x / a.alpha); }
double elu(double x, const AlphaAttrs& a) { return x < 0 ? a.alpha * std::expm1(x) : x; }
double selu(double x, const SeluAttrs& a) { return a.gamma * (x > 0 ? x : a.alpha * std::expm1(x)); }
double swish(double x, const AlphaAttrs& a) { return x / (1 + std::exp(-a.alpha * x)); }
template <class T> T leaky_relu(T x, const LeakyReluAttrs& a) { return x < 0 ? T(a.alpha) * x : x; }
template <class T> T thresholded_relu(T x, const AlphaAttrs& a) { return x > T(a.alpha) ? x : T(0); }
template <class T> T hard_sigmoid(T x, const HardSigmoidAttrs& a) {
  const T line = T(a.alpha) * x + T(a.beta);
  return at_least(at_most(line, T(1)), T(0));
}

// 1 + tanh(u) = 2 / (1 + exp(-2 u)) and 1 + erf(x) = erfc(-x): the sums would cancel far below zero.
double gelu_tanh(double x) {
  return x / (1 + std::exp(-2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
double gelu_erf(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }

Result<Types> infer_gelu(const InferContext& c) {
  const std::string approximate = c.attrs<GeluAttrs>().approximate;
  if (approximate != "none" && approximate != "tanh")
    return c.error("approximate is '" + approximate + "', allowed are none and tanh");
  return Types{c.in(0)};
}

Status evaluate_gelu(EvalContext& c) {
  return c.attrs<GeluAttrs>().approximate == "tanh" ? evaluate_transcendental<gelu_tanh>(c)
                                                    : evaluate_transcendental<gelu_erf>(c);
}

Status evaluate_is_inf(EvalContext& c) {
  const auto a = c.attrs<IsInfAttrs>();
  Tensor& y = c.out(0, DType::Bool, c.in(0).shape());
  auto is_inf = [&](auto x) { return std::isinf(x) && (x < 0 ? a.detect_negative : a.detect_positive); };
  visit_types<kFloats>(c.in(0).dtype(), [&](auto tag) { map<decltype(tag), bool>(c.in(0), y, is_inf); });
  return ok();
}

Result<Types> infer_clip(const InferContext& c) {
  for (size_t i : {1, 2}) {
    if (!c.has(i)) continue;

    if (c.in(i).is_static() && element_count(c.in(i).shape()) != 1)
      return c.error("a bound must be one number, not " + c.in(i).to_string());
  }
  return Types{c.in(0)};
}

// max before min: where the bounds cross, the upper one holds.
Status evaluate_clip(EvalContext& c) {
  for (size_t i : {1, 2})
    if (c.has(i) && c.in(i).size() != 1) return c.error("a bound must be one number, not " + to_string(c.in(i)));
  const Tensor& x = c.in(0);
  Tensor& y = c.out(0, x.dtype(), x.shape());
  visit_types<kNumbers>(x.dtype(), [&](auto tag) {
    using T = decltype(tag);
    auto bound = [&](size_t i) { return c.has(i) ? std::optional(load(c.in(i).data<T>()[0])) : std::nullopt; };
    map<T, T>(x, y, [low = bound(1), high = bound(2)](auto v) {
      if (low) v = at_least(v, *low);
      return high ? at_most(v, *high) : v;
    });
  });
  return ok();
}

Result<Types> infer_prelu(const InferContext& c) {
  LAPIS_TRY(const Types common, infer_broadcast(c));
  if (c.in(0).ranked() && common[0].ranked() && !merge(common[0], c.in(0)))
    return c.error("the slope " + c.in(1).to_string() + " must broadcast to the input " + c.in(0).to_string());
  return Types{c.in(0)};
}

constexpr TypeSet kPReluTypes = kFloats | types(DType::Int32, DType::Int64, DType::UInt32, DType::UInt64);

Status evaluate_prelu(EvalContext& c) {
  if (broadcast_shapes(c.in(0).shape(), c.in(1).shape()) != c.in(0).shape())
    return c.error("the slope " + to_string(c.in(1).shape()) + " must broadcast to the input " +
                   to_string(c.in(0).shape()));
  return evaluate_pairs<kPReluTypes>(
      c, [](auto x, auto slope) { return x < 0 ? wrapping(std::multiplies<>(), slope, x) : x; });
}

}  // namespace

const OpDef Celu =
    row<AlphaAttrs>("Celu", 12, evaluate_smooth<AlphaAttrs, celu>, "max(0, x) + min(0, alpha * (exp(x / alpha) - 1)).",
                    Quant::Elementwise, types(DType::Float32));

const OpDef Clip = op("Clip")
                       .since(13)
                       .doc("min(max(x, min), max); an absent bound does not bind.")
                       .in("input", kNumbers, "T")
                       .optional_in("min", kNumbers, "T")
                       .optional_in("max", kNumbers, "T")
                       .out("output", kNumbers)
                       .infer(infer_clip)
                       .evaluate(evaluate_clip)
                       .traits(kElementwise | Trait::Monotonic | Trait::OneSided)
                       .quant(Quant::Elementwise);

const OpDef Elu = row<AlphaAttrs>("Elu", 22, evaluate_smooth<AlphaAttrs, elu>, "x, below zero alpha * (exp(x) - 1).");

const OpDef Gelu = op("Gelu")
                       .since(20)
                       .doc("x times the normal distribution function of x, exactly or by tanh.")
                       .in("X", kFloats)
                       .out("Y", kFloats)
                       .attrs<GeluAttrs>()
                       .infer(infer_gelu)
                       .evaluate(evaluate_gelu)
                       .traits(kElementwise)
                       .quant(Quant::Elementwise);

const OpDef HardSigmoid = row<HardSigmoidAttrs>(
    "HardSigmoid", 22, evaluate_exact<HardSigmoidAttrs, [](auto x, auto& a) { return hard_sigmoid(x, a); }>,
    "max(0, min(1, alpha * x + beta)).");

const OpDef IsInf = op("IsInf")
                        .since(20)
                        .doc("True where x is infinite.")
                        .in("X", kFloats)
                        .out("Y", types(DType::Bool))
                        .attrs<IsInfAttrs>()
                        .infer(infer_predicate)
                        .evaluate(evaluate_is_inf)
                        .traits(kElementwise);

const OpDef LeakyRelu = row<LeakyReluAttrs>(
    "LeakyRelu", 16, evaluate_exact<LeakyReluAttrs, [](auto x, auto& a) { return leaky_relu(x, a); }>,
    "x, below zero alpha * x.");

const OpDef PRelu = op("PRelu")
                        .since(16)
                        .doc("x, below zero slope * x; the slope broadcasts to x.")
                        .in("X", kPReluTypes, "T")
                        .in("slope", kPReluTypes, "T")
                        .out("Y", kPReluTypes)
                        .infer(infer_prelu)
                        .evaluate(evaluate_prelu)
                        .traits(kElementwise | Trait::OneSided)
                        .quant(Quant::Elementwise);

const OpDef Selu =
    row<SeluAttrs>("Selu", 22, evaluate_smooth<SeluAttrs, selu>, "gamma * x, below zero gamma * alpha * (exp(x) - 1).");

const OpDef Swish = row<AlphaAttrs>("Swish", 24, evaluate_smooth<AlphaAttrs, swish>, "x * sigmoid(alpha * x).");

const OpDef ThresholdedRelu = row<AlphaAttrs>(
    "ThresholdedRelu", 22, evaluate_exact<AlphaAttrs, [](auto x, auto& a) { return thresholded_relu(x, a); }>,
    "x above alpha, else 0.");

}  // namespace lapis::ops
