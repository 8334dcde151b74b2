// Functions of two or more operands that broadcast against each other.
#include <cmath>
#include <functional>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr Traits kElementwise = Trait::Pure | Trait::Elementwise;
constexpr Traits kSymmetric = kElementwise | Trait::Commutative;
constexpr TypeSet kPowTypes = kFloats | types(DType::Int32, DType::Int64);
constexpr TypeSet kShiftTypes = kUnsignedIntegers;

// ---- arithmetic ----------------------------------------------------------------------------------------------------

constexpr auto add = [](auto a, auto b) { return wrapping(std::plus<>(), a, b); };
constexpr auto sub = [](auto a, auto b) { return wrapping(std::minus<>(), a, b); };
constexpr auto mul = [](auto a, auto b) { return wrapping(std::multiplies<>(), a, b); };

Status evaluate_div(EvalContext& c) {
  return evaluate_pairs<kNumbers>(c, [](auto a, auto b) { return quotient(a, b); });
}

Status evaluate_mod(EvalContext& c) {
  if (c.attrs<ModAttrs>().fmod) return evaluate_pairs<kNumbers>(c, [](auto a, auto b) { return remainder_of(a, b); });
  return evaluate_pairs<kNumbers>(c, [](auto a, auto b) { return modulo(a, b); });
}

Result<Types> infer_pow(const InferContext& c) { return infer_broadcast_as(c, c.in(0).dtype, 1); }

Status evaluate_pow(EvalContext& c) {
  LAPIS_TRY(const std::vector<Tensor> in, broadcast_operands(c));
  Tensor& z = c.out(0, in[0].dtype(), in[0].shape());
  visit_types<kPowTypes>(in[0].dtype(), [&]<class T>(T) {
    visit_types<kNumbers>(in[1].dtype(), [&]<class E>(E) {
      const auto x = in[0].data<T>();
      const auto y = in[1].data<E>();
      const auto to = z.mutable_data<T>();
      for (size_t i = 0; i < x.size(); ++i) to[i] = store<T>(power(load(x[i]), load(y[i])));
    });
  });
  return ok();
}

// ---- any number of operands ----------------------------------------------------------------------------------------

// Left to right in the arithmetic type, so float16 rounds once at the end; `finish` sees the result and the operand
// count.
template <TypeSet Set, class Function, class Finish>
Status evaluate_fold(EvalContext& c, Function&& function, Finish&& finish) {
  LAPIS_TRY(const std::vector<Tensor> in, broadcast_operands(c));
  Tensor& y = c.out(0, in[0].dtype(), in[0].shape());
  visit_types<Set>(y.dtype(), [&]<class T>(T) {
    const auto to = y.mutable_data<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      Arithmetic<T> folded = load(in[0].data<T>()[i]);
      for (size_t k = 1; k < in.size(); ++k) folded = function(folded, load(in[k].data<T>()[i]));
      to[i] = store<T>(finish(folded, in.size()));
    }
  });
  return ok();
}

template <TypeSet Set, auto function> Status evaluate_variadic(EvalContext& c) {
  return evaluate_fold<Set>(c, function, [](auto x, size_t) { return x; });
}

Status evaluate_mean(EvalContext& c) {
  return evaluate_fold<kFloats>(c, std::plus<>(),
                                [](auto sum, size_t count) { return sum / static_cast<decltype(sum)>(count); });
}

Result<Types> infer_variadic(const InferContext& c) {
  if (c.input_count() == 0) return c.error("needs at least one operand");
  return infer_broadcast(c);
}

// ---- bits ----------------------------------------------------------------------------------------------------------

Result<Types> infer_shift(const InferContext& c) {
  const std::string direction = c.attrs<BitShiftAttrs>().direction;
  if (direction != "LEFT" && direction != "RIGHT")
    return c.error("direction is '" + direction + "', allowed are LEFT and RIGHT");
  return infer_broadcast(c);
}

// Shifting all bits out gives 0, where C++ would leave it undefined.
Status evaluate_shift(EvalContext& c) {
  const bool left = c.attrs<BitShiftAttrs>().direction == "LEFT";
  return evaluate_pairs<kShiftTypes>(c, [left](auto x, auto by) -> uint64_t {
    if (by >= 8 * sizeof(x)) return 0;
    return left ? static_cast<uint64_t>(x) << by : static_cast<uint64_t>(x) >> by;
  });
}

// ---- contents of shape tensors -------------------------------------------------------------------------------------

Dim dim_add(const Dim& a, const Dim& b) { return a + b; }
Dim dim_sub(const Dim& a, const Dim& b) { return a - b; }
Dim dim_mul(const Dim& a, const Dim& b) { return a * b; }

// Truncation equals the floor where the quotient cannot be negative.
Dim dim_div(const Dim& a, const Dim& b) {
  if (b.is(0)) return Dim::unknown();
  if (a.is_constant() && b.is_constant()) return quotient(a.value(), b.value());
  if (auto exact = exact_div(a, b)) return *exact;
  return a.never_negative() && b.never_negative() ? floor_div(a, b) : Dim::unknown();
}

// The remainder of the dividend's sign is the divisor's where neither is negative.
Dim dim_mod(const Dim& a, const Dim& b) {
  const bool is_counted = b.is_constant() && b.value() > 0 && a.never_negative();
  if (!is_counted) return Dim::unknown();
  return a.is_constant() ? Dim(a.value() % b.value()) : a - floor_div(a, b) * b;
}
std::optional<Dims> propagate_mod(const InferContext& c) { return propagate_pairs(c, dim_mod); }

Dim dim_max(const Dim& a, const Dim& b) {
  if ((a - b).never_negative()) return a;
  return (b - a).never_negative() ? b : Dim::unknown();
}
Dim dim_min(const Dim& a, const Dim& b) {
  if ((a - b).never_negative()) return b;
  return (b - a).never_negative() ? a : Dim::unknown();
}

template <DimFunction function> std::optional<Dims> propagate_fold(const InferContext& c) {
  if (c.input_count() == 1) return c.contents(0);
  return c.input_count() == 2 ? propagate_pairs(c, function) : std::nullopt;
}

// ---- rows ----------------------------------------------------------------------------------------------------------

OpDef binary(std::string_view name, int since, TypeSet types, EvaluateFn evaluate, Traits traits, std::string_view doc,
             Quant quant = Quant::KeepFloat, PropagateFn propagate = nullptr) {
  return op(name)
      .since(since)
      .doc(doc)
      .in("A", types, "T")
      .in("B", types, "T")
      .out("C", types)
      .infer(infer_broadcast)
      .evaluate(evaluate)
      .propagate(propagate)
      .traits(traits)
      .quant(quant);
}

OpDef variadic(std::string_view name, TypeSet types, EvaluateFn evaluate, std::string_view output, std::string_view doc,
               Quant quant = Quant::KeepFloat, PropagateFn propagate = nullptr) {
  return op(name)
      .since(13)
      .doc(doc)
      .variadic_in("data_0", types, "T")
      .out(output, types)
      .infer(infer_variadic)
      .evaluate(evaluate)
      .propagate(propagate)
      .traits(kSymmetric)
      .quant(quant);
}

}  // namespace

const OpDef Add = binary("Add", 14, kNumbers, evaluate_binary<kNumbers, add>, kSymmetric, "a + b.", Quant::Elementwise,
                         propagate_binary<dim_add>);
const OpDef Div =
    binary("Div", 14, kNumbers, evaluate_div, kElementwise,
           "a / b; integers truncate toward zero, over zero they give 0.", Quant::KeepFloat, propagate_binary<dim_div>);
const OpDef Mul = binary("Mul", 14, kNumbers, evaluate_binary<kNumbers, mul>, kSymmetric, "a * b.", Quant::Elementwise,
                         propagate_binary<dim_mul>);
const OpDef Sub = binary("Sub", 14, kNumbers, evaluate_binary<kNumbers, sub>, kElementwise, "a - b.",
                         Quant::Elementwise, propagate_binary<dim_sub>);

const OpDef BitwiseAnd =
    binary("BitwiseAnd", 18, kIntegers, evaluate_binary<kIntegers, std::bit_and<>{}>, kSymmetric, "Bits set in both.");
const OpDef BitwiseOr =
    binary("BitwiseOr", 18, kIntegers, evaluate_binary<kIntegers, std::bit_or<>{}>, kSymmetric, "Bits set in either.");
const OpDef BitwiseXor = binary("BitwiseXor", 18, kIntegers, evaluate_binary<kIntegers, std::bit_xor<>{}>, kSymmetric,
                                "Bits set in one only.");

const OpDef Max =
    variadic("Max", kNumbers, evaluate_variadic<kNumbers, [](auto a, auto b) { return max_of(a, b); }>, "max",
             "The greatest operand; NaN wins, +0 is above -0.", Quant::Elementwise, propagate_fold<dim_max>);
const OpDef Mean = variadic("Mean", kFloats, evaluate_mean, "mean", "The sum of the operands over their number.");
const OpDef Min =
    variadic("Min", kNumbers, evaluate_variadic<kNumbers, [](auto a, auto b) { return min_of(a, b); }>, "min",
             "The least operand; NaN wins, -0 is below +0.", Quant::Elementwise, propagate_fold<dim_min>);
const OpDef Sum = variadic("Sum", kFloats, evaluate_variadic<kFloats, std::plus<>{}>, "sum",
                           "The operands added from left to right.");

const OpDef BitShift = op("BitShift")
                           .since(11)
                           .doc("x shifted by y bits, zeros moving in.")
                           .in("X", kShiftTypes, "T")
                           .in("Y", kShiftTypes, "T")
                           .out("Z", kShiftTypes)
                           .attrs<BitShiftAttrs>()
                           .infer(infer_shift)
                           .evaluate(evaluate_shift)
                           .traits(kElementwise);

const OpDef Mod = op("Mod")
                      .since(13)
                      .doc("Remainder with the divisor's sign, with fmod the dividend's; integers modulo zero give 0.")
                      .in("A", kNumbers, "T")
                      .in("B", kNumbers, "T")
                      .out("C", kNumbers)
                      .attrs<ModAttrs>()
                      .infer(infer_broadcast)
                      .evaluate(evaluate_mod)
                      .propagate(propagate_mod)
                      .traits(kElementwise);

const OpDef Pow = op("Pow")
                      .since(15)
                      .doc("x to the power of y, in the type of x.")
                      .in("X", kPowTypes)
                      .in("Y", kNumbers)
                      .out("Z", kPowTypes)
                      .infer(infer_pow)
                      .evaluate(evaluate_pow)
                      .traits(kElementwise);

}  // namespace lapis::ops
