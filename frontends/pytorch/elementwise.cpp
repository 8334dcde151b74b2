// Arithmetic, comparisons, logic and casts.
#include <cmath>
#include <numbers>

#include "frontends/common/elementwise.h"
#include "frontends/pytorch/formulas.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

// ---- arithmetic -----------------------------------------------------------------------------------------------------

enum class Order : uint8_t { AsWritten, Reversed };

// a + alpha b, a - alpha b; reversed b - alpha a.
Status with_alpha(Translation& t, const OpDef& op, Order order) {
  Args args(t);
  const bool is_scaled = args.number("alpha", 1) != 1;
  LAPIS_TRY(Pair p, pair(t, args));
  LAPIS_CHECK(args.status());
  if (order == Order::Reversed) std::swap(p.a, p.b);
  if (is_scaled) {
    LAPIS_TRY(Value * alpha, args.number_or_tensor("alpha", p.b->dtype()));
    LAPIS_TRY(p.b, t.add(ops::Mul, {p.b, alpha}));
  }
  return finish(t, t.add(p.a->dtype() == DType::Bool ? ops::Or : op, {p.a, p.b}));
}

Status add(Translation& t) { return with_alpha(t, ops::Add, Order::AsWritten); }
Status sub(Translation& t) { return with_alpha(t, ops::Sub, Order::AsWritten); }
Status rsub(Translation& t) { return with_alpha(t, ops::Sub, Order::Reversed); }

Status mul(Translation& t) {
  Args args(t);
  LAPIS_TRY(const Pair p, pair(t, args));
  return finish(t, t.add(p.a->dtype() == DType::Bool ? ops::And : ops::Mul, {p.a, p.b}));
}

Result<Value*> truncated(Translation& t, Value* x) {
  if (!is_float(x->dtype())) return x;
  LAPIS_TRY(Value * size, t.add(ops::Abs, {x}));
  LAPIS_TRY(Value * whole, t.add(ops::Floor, {size}));
  LAPIS_TRY(Value * sign, t.add(ops::Sign, {x}));
  return t.add(ops::Mul, {whole, sign});
}

// The largest integer below a / b; of integers too, which ONNX divides toward zero.
Status div(Translation& t) {
  Args args(t);
  const std::string mode = args.word("rounding_mode", "");
  LAPIS_TRY(const Pair p, mode.empty() ? real_pair(t, args) : pair(t, args));
  LAPIS_CHECK(args.status());
  if (mode == "floor") return finish(t, floor_quotient(t, p));
  LAPIS_TRY(Value * quotient, t.add(ops::Div, {p.a, p.b}));
  return finish(t, mode == "trunc" ? truncated(t, quotient) : Result<Value*>(quotient));
}

Status floor_divide(Translation& t) {
  Args args(t);
  LAPIS_TRY(const Pair p, pair(t, args));
  return finish(t, floor_quotient(t, p));
}

Status remainder(Translation& t) {
  Args args(t);
  LAPIS_TRY(const Pair p, pair(t, args));
  return finish(t, floor_rest(t, p));
}

Status fmod(Translation& t) {
  Args args(t);
  LAPIS_TRY(const Pair p, pair(t, args));
  return finish(t, t.add(ops::Mod, {p.a, p.b}, ops::ModAttrs{true}));
}

// 1 / sqrt(x)
Result<Value*> inverse_root(Translation& t, Value* x) {
  LAPIS_TRY(Value * root, t.add(ops::Sqrt, {x}));
  return t.add(ops::Reciprocal, {root});
}

// The exponents 1/2 and -1/2, as numbers, are roots: of -0 and -infinity too, whose powers are others.
Status pow(Translation& t) {
  Args args(t);
  LAPIS_TRY(Pair p, pair(t, args, "self", "exponent"));
  const DType type = p.a->dtype();
  const double exponent = t.get<double>("exponent", 0);
  if (exponent == 0.5 && is_float(type)) return finish(t, t.add(ops::Sqrt, {p.a}));
  if (exponent == -0.5 && is_float(type)) return finish(t, inverse_root(t, p.a));
  if (is_float(type) || type == DType::Int32 || type == DType::Int64) return finish(t, t.add(ops::Pow, {p.a, p.b}));
  LAPIS_TRY(p.a, frontend::cast(t, p.a, DType::Int64));  // which wraps as the narrower type does
  LAPIS_TRY(p.b, frontend::cast(t, p.b, DType::Int64));
  LAPIS_TRY(Value * power, t.add(ops::Pow, {p.a, p.b}));
  return finish(t, frontend::cast(t, power, type));
}

// self + value * tensor1 (* or /) tensor2
Status add_combined(Translation& t, const OpDef& op) {
  Args a(t);
  const double value = a.number("value", 1);
  LAPIS_CHECK(a.status());
  std::vector<Value*> all;
  for (const char* name : {"self", "tensor1", "tensor2"}) {
    LAPIS_TRY(all.emplace_back(), a.tensor(name));
  }
  LAPIS_TRY(all, in_one_type(t, std::move(all)));
  LAPIS_TRY(Value * y, t.add(op, {all[1], all[2]}));
  if (value != 1) {
    LAPIS_TRY(y, t.add(ops::Mul, {y, number_like(t, value, y)}));
  }
  return finish(t, t.add(ops::Add, {all[0], y}));
}
Status addcmul(Translation& t) { return add_combined(t, ops::Mul); }
Status addcdiv(Translation& t) { return add_combined(t, ops::Div); }

Status lerp(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * end, a.tensor("end"));
  LAPIS_TRY(Value * weight, a.number_or_tensor("weight", x->dtype()));
  LAPIS_CHECK(a.status());
  Value* y = between(f, x, end, weight);
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// ---- functions ------------------------------------------------------------------------------------------------------

Result<Value*> real_self(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return as_real(t, x);
}

Status rsqrt(Translation& t) {
  LAPIS_TRY(Value * x, real_self(t));
  return finish(t, inverse_root(t, x));
}

// No number has a sign that is none: 0, as for 0.
Status sign(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  if (x->dtype() == DType::Bool) return frontend::result(t, 0, x);
  if (!is_float(x->dtype())) return finish(t, t.add(ops::Sign, {x}));
  Value* zero = f.number(0, x->dtype());
  Value* y = f.sub({f.cast(f.greater({x, zero}), x->dtype()), f.cast(f.greater({zero, x}), x->dtype())});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// Of numbers without a sign too, which wrap.
Status neg(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, x->dtype() == DType::UInt8 ? t.add(ops::Sub, {number_like(t, 0, x), x}) : t.add(ops::Neg, {x}));
}

Status atan2(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, real_pair(t, a));
  return finish(t, frontend::angle(t, p.a, p.b));
}

Status square(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, x->dtype() == DType::Bool ? DType::Int64 : x->dtype()));
  return finish(t, t.add(ops::Mul, {x, x}));
}

Status logarithm(Translation& t, double factor) {
  LAPIS_TRY(Value * x, real_self(t));
  LAPIS_TRY(Value * y, t.add(ops::Log, {x}));
  return finish(t, t.add(ops::Mul, {y, number_like(t, factor, y)}));
}
Status log2(Translation& t) { return logarithm(t, std::numbers::log2e); }
Status log10(Translation& t) { return logarithm(t, std::numbers::log10e); }

Status exp2(Translation& t) {
  LAPIS_TRY(Value * x, real_self(t));
  return finish(t, t.add(ops::Pow, {number_like(t, 2, x), x}));
}

Status trunc(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, truncated(t, x));
}

// Of integers nothing is left to round.
template <const OpDef& Op> Status rounded(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, is_float(x->dtype()) ? t.add(Op, {x}) : Result<Value*>(x));
}

// To digits behind the point, or before it: of the number times a power of ten that is 1 or more.
Status round(Translation& t) {
  Args a(t);
  const int64_t decimals = a.integer("decimals", 0);
  LAPIS_CHECK(a.status());
  if (decimals == 0) return rounded<ops::Round>(t);
  LAPIS_TRY(Value * x, self(a));
  if (!is_float(x->dtype())) return Translation::unsupported("decimals of integers");
  Value* power = number_like(t, std::pow(10.0, static_cast<double>(std::abs(decimals))), x);
  const bool are_behind = decimals > 0;
  LAPIS_TRY(Value * moved, t.add(are_behind ? ops::Mul : ops::Div, {x, power}));
  LAPIS_TRY(Value * whole, t.add(ops::Round, {moved}));
  return finish(t, t.add(are_behind ? ops::Div : ops::Mul, {whole, power}));
}

// ---- limits ---------------------------------------------------------------------------------------------------------

// A known number as a constant of the type of x, which saturates: what a type does not hold limits nothing, or all.
// Doubles do not hold every integer of 64 bits.
Value* limit_like(Translation& t, Args& a, std::string_view name, const Value* x) {
  const auto* whole = std::get_if<int64_t>(&t.attribute(name));
  if (whole && x->dtype() == DType::Int64) return t.constant(Tensor::scalar<int64_t>(*whole));
  return number_like(t, a.number(name, 0), x);
}

// The limits decide the type too. Numbers beyond what it holds limit nothing, or all: they do not wrap.
Result<Value*> limited(Translation& t, Args& a, Value* x, std::string_view limit, const OpDef& op) {
  if (!a.has(limit)) return x;
  if (!a.is_operand(limit)) return t.add(op, {x, limit_like(t, a, limit, x)});
  LAPIS_TRY(const Pair p, pair(t, a, "self", limit));
  LAPIS_TRY(const std::vector<Value*> both, in_one_type(t, {x, p.b}));
  return t.add(op, both);
}

bool is_real_number(const Translation& t, std::string_view name) {
  return std::holds_alternative<double>(t.attribute(name));
}

Status clamp(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (is_real_number(t, "min") || is_real_number(t, "max")) {
    LAPIS_TRY(x, as_real(t, x));
  }
  if (a.has("min") && a.has("max") && !a.is_operand("min") && !a.is_operand("max")) {
    Value *low = limit_like(t, a, "min", x), *high = limit_like(t, a, "max", x);
    LAPIS_CHECK(a.status());
    return finish(t, t.add(ops::Clip, {x, low, high}));
  }
  LAPIS_TRY(x, limited(t, a, x, "min", ops::Max));
  LAPIS_TRY(x, limited(t, a, x, "max", ops::Min));
  LAPIS_CHECK(a.status());
  return finish(t, x);
}

// ---- comparisons and logic ------------------------------------------------------------------------------------------

template <const OpDef& Op> Status opposite(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  LAPIS_TRY(Value * y, t.add(Op, {p.a, p.b}));
  return finish(t, t.add(ops::Not, {y}));
}

// ONNX orders numbers only.
template <const OpDef& Op> Status ordered(Translation& t) {
  Args a(t);
  LAPIS_TRY(Pair p, pair(t, a));
  if (p.a->dtype() == DType::Bool) {
    LAPIS_TRY(p.a, frontend::cast(t, p.a, DType::Int32));
    LAPIS_TRY(p.b, frontend::cast(t, p.b, DType::Int32));
  }
  return finish(t, t.add(Op, {p.a, p.b}));
}

template <const OpDef& Op> Status logic(Translation& t) {
  Args a(t);
  LAPIS_TRY(Pair p, pair(t, a));
  LAPIS_TRY(p.a, frontend::cast(t, p.a, DType::Bool));
  LAPIS_TRY(p.b, frontend::cast(t, p.b, DType::Bool));
  return finish(t, t.add(Op, {p.a, p.b}));
}

// Of truth values the logical operator, else that of bits.
template <const OpDef& OfTruth, const OpDef& OfBits> Status bitwise(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  return finish(t, t.add(p.a->dtype() == DType::Bool ? OfTruth : OfBits, {p.a, p.b}));
}

Status logical_not(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Bool));
  return finish(t, t.add(ops::Not, {x}));
}

Status bitwise_not(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(x->dtype() == DType::Bool ? ops::Not : ops::BitwiseNot, {x}));
}

// Where it holds: the numbers of each axis.
Status places(Translation& t, Value* condition) {
  LAPIS_TRY(Value * all, t.add(ops::NonZero, {condition}));
  std::vector<Value*> axes;
  for (size_t i = 0; i < t.node().outputs.size(); ++i) {
    Value* at = frontend::scalar(t, static_cast<double>(i), DType::Int64);
    LAPIS_TRY(axes.emplace_back(), t.add(ops::Gather, {all, at}, ops::AxisAttrs{0}));
  }
  return finish_some(t, axes);
}

Status where(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * condition, a.tensor("condition"));
  LAPIS_TRY(condition, frontend::cast(t, condition, DType::Bool));
  if (!a.has("self") && !a.has("other")) return places(t, condition);
  if (!a.is_operand("self") && !a.is_operand("other")) {
    const DType type = promoted(type_of_number(t, "self"), type_of_number(t, "other"));
    LAPIS_TRY(Value * yes, a.number_or_tensor("self", type));
    LAPIS_TRY(Value * no, a.number_or_tensor("other", type));
    LAPIS_CHECK(a.status());
    return finish(t, t.add(ops::Where, {condition, yes, no}));
  }
  LAPIS_TRY(const Pair p, pair(t, a));
  return finish(t, t.add(ops::Where, {condition, p.a, p.b}));
}

Status masked_fill(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * mask, a.tensor("mask"));
  LAPIS_TRY(Value * value, a.number_or_tensor("value", x->dtype()));
  LAPIS_TRY(value, frontend::cast(t, value, x->dtype()));
  LAPIS_CHECK(a.status());
  return finish(t, t.add(ops::Where, {mask, value, x}));
}

Status is_nan(Translation& t) {
  LAPIS_TRY(Value * x, real_self(t));
  return finish(t, t.add(ops::IsNaN, {x}));
}

Status is_inf(Translation& t) {
  LAPIS_TRY(Value * x, real_self(t));
  return finish(t, t.add(ops::IsInf, {x}));
}

// ---- casts ----------------------------------------------------------------------------------------------------------

// Integers of weights, as they are or moved.
bool are_weights(const Value* x) {
  constexpr int kMostMoves = 4;
  if (!is_quantized_storage(x->dtype()) || !x->type().ranked() || x->type().rank() < 2) return false;
  for (int i = 0; i < kMostMoves && x->producer() && x->producer()->op().has(Trait::Movement); ++i)
    x = x->producer()->input(0);
  return x->is_constant();
}

// Weights stay integers: a scale of 1 says the same as a Cast, which would be folded.
Result<Value*> converted(Translation& t, Value* x, DType to) {
  if (to != DType::Float32 || !are_weights(x)) return frontend::cast(t, x, to);
  return t.add(ops::DequantizeLinear, {x, frontend::scalar(t, 1, to), frontend::scalar(t, 0, x->dtype())},
               ops::DequantizeLinearAttrs{});
}

// To a type by number, or to that of another tensor; what is said about devices and memory means nothing here.
Status to(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (a.is_operand("other")) {
    LAPIS_TRY(const Value* like, a.tensor("other"));
    return finish(t, frontend::cast(t, x, like->dtype()));
  }
  const auto dtype = a.dtype();
  LAPIS_CHECK(a.status());
  return finish(t, dtype ? converted(t, x, *dtype) : Result<Value*>(x));
}

template <DType Type> Status cast_to(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, frontend::cast(t, x, Type));
}

// self.copy_(src): the values of src in the shape and type of self.
Status copy(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * from, a.tensor("src"));
  LAPIS_TRY(from, frontend::cast(t, from, x->dtype()));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  return finish(t, t.add(ops::Expand, {from, shape}));
}

constexpr const char* kTraining = "training: call model.eval() before the model is exported";

Status dropout(Translation& t) {
  Args a(t);
  const bool trains = a.flag("train", false) && a.number("p", 0.5) > 0;
  LAPIS_CHECK(a.status());
  if (trains) return Translation::unsupported(kTraining);
  return same(t);
}

// The same with a mask of what stays: all.
Status native_dropout(Translation& t) {
  Args a(t);
  const bool trains = a.flag("train", true) && a.number("p", 0.5) > 0;
  LAPIS_CHECK(a.status());
  if (trains) return Translation::unsupported(kTraining);
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * mask, t.add(ops::Expand, {frontend::scalar(t, 1, DType::Bool), shape}));
  return finish_some(t, {x, mask});
}

constexpr AtenRow kRows[] = {
    {"aten.__and__", "self other", bitwise<ops::And, ops::BitwiseAnd>},
    {"aten.__or__", "self other", bitwise<ops::Or, ops::BitwiseOr>},
    {"aten.__xor__", "self other", bitwise<ops::Xor, ops::BitwiseXor>},
    {"aten._to_copy", "self *dtype layout device pin_memory non_blocking memory_format", to},
    {"aten.abs", "self", unary<ops::Abs>},
    {"aten.acos", "self", real<ops::Acos>},
    {"aten.acosh", "self", real<ops::Acosh>},
    {"aten.add", "self other *alpha", add},
    {"aten.addcdiv", "self tensor1 tensor2 *value", addcdiv},
    {"aten.addcmul", "self tensor1 tensor2 *value", addcmul},
    {"aten.alias", "self", same},
    {"aten.alpha_dropout", "input p train", dropout},
    {"aten.asin", "self", real<ops::Asin>},
    {"aten.asinh", "self", real<ops::Asinh>},
    {"aten.atan", "self", real<ops::Atan>},
    {"aten.atan2", "self other", atan2},
    {"aten.atanh", "self", real<ops::Atanh>},
    {"aten.bitwise_and", "self other", bitwise<ops::And, ops::BitwiseAnd>},
    {"aten.bitwise_not", "self", bitwise_not},
    {"aten.bitwise_or", "self other", bitwise<ops::Or, ops::BitwiseOr>},
    {"aten.bitwise_xor", "self other", bitwise<ops::Xor, ops::BitwiseXor>},
    {"aten.bool", "self", cast_to<DType::Bool>},
    {"aten.ceil", "self", rounded<ops::Ceil>},
    {"aten.clamp", "self min max", clamp},
    {"aten.clamp_max", "self max", clamp},
    {"aten.clamp_min", "self min", clamp},
    {"aten.clip", "self min max", clamp},
    {"aten.clone", "self *memory_format", same},
    {"aten.contiguous", "self *memory_format", same},
    {"aten.copy", "self src non_blocking", copy},
    {"aten.cos", "self", real<ops::Cos>},
    {"aten.cosh", "self", real<ops::Cosh>},
    {"aten.cpu", "self", same},
    {"aten.detach", "self", same},
    {"aten.div", "self other *rounding_mode", div},
    {"aten.double", "self", cast_to<DType::Float64>},
    {"aten.dropout", "input p train", dropout},
    {"aten.eq", "self other", binary<ops::Equal>},
    {"aten.erf", "self", real<ops::Erf>},
    {"aten.exp", "self", real<ops::Exp>},
    {"aten.exp2", "self", exp2},
    {"aten.feature_dropout", "input p train", dropout},
    {"aten.float", "self", cast_to<DType::Float32>},
    {"aten.floor", "self", rounded<ops::Floor>},
    {"aten.floor_divide", "self other", floor_divide},
    {"aten.fmod", "self other", fmod},
    {"aten.ge", "self other", ordered<ops::GreaterOrEqual>},
    {"aten.gt", "self other", ordered<ops::Greater>},
    {"aten.half", "self", cast_to<DType::Float16>},
    {"aten.int", "self", cast_to<DType::Int32>},
    {"aten.isinf", "self", is_inf},
    {"aten.isnan", "self", is_nan},
    {"aten.le", "self other", ordered<ops::LessOrEqual>},
    {"aten.lerp", "self end weight", lerp},
    {"aten.lift_fresh", "self", same},
    {"aten.lift_fresh_copy", "self", same},
    {"aten.log", "self", real<ops::Log>},
    {"aten.log10", "self", log10},
    {"aten.log2", "self", log2},
    {"aten.logical_and", "self other", logic<ops::And>},
    {"aten.logical_not", "self", logical_not},
    {"aten.logical_or", "self other", logic<ops::Or>},
    {"aten.logical_xor", "self other", logic<ops::Xor>},
    {"aten.long", "self", cast_to<DType::Int64>},
    {"aten.lt", "self other", ordered<ops::Less>},
    {"aten.masked_fill", "self mask value", masked_fill},
    {"aten.maximum", "self other", bitwise<ops::Or, ops::Max>},
    {"aten.minimum", "self other", bitwise<ops::And, ops::Min>},
    {"aten.mul", "self other", mul},
    {"aten.native_dropout", "input p train", native_dropout},
    {"aten.ne", "self other", opposite<ops::Equal>},
    {"aten.neg", "self", neg},
    {"aten.pow", "self exponent", pow},
    {"aten.positive", "self", same},
    {"aten.reciprocal", "self", real<ops::Reciprocal>},
    {"aten.remainder", "self other", remainder},
    {"aten.round", "self *decimals", round},
    {"aten.rsqrt", "self", rsqrt},
    {"aten.rsub", "self other alpha", rsub},
    {"aten.sgn", "self", sign},
    {"aten.sign", "self", sign},
    {"aten.sin", "self", real<ops::Sin>},
    {"aten.sinh", "self", real<ops::Sinh>},
    {"aten.sqrt", "self", real<ops::Sqrt>},
    {"aten.square", "self", square},
    {"aten.sub", "self other *alpha", sub},
    {"aten.tan", "self", real<ops::Tan>},
    {"aten.to", "self dtype non_blocking copy memory_format", to},
    {"aten.true_divide", "self other", div},
    {"aten.trunc", "self", trunc},
    {"aten.type_as", "self other", to},
    {"aten.where", "condition self other", where},
};

}  // namespace

// Of floats the rest of a division toward zero, which is exact,
// and whether the one of a division rounded down is the divisor more.
struct Rest {
  Value *toward_zero, *moves;
};
static Rest rest_of(Formula& f, const Pair& p) {
  Value* zero = f.number(0, p.a->dtype());
  Value* rest = f.op(ops::Mod, {p.a, p.b}, ops::ModAttrs{true});
  Value* differs = f.op(ops::Xor, {f.greater({zero, rest}), f.greater({zero, p.b})});
  return {rest, f.both({differs, f.opposite(f.op(ops::Equal, {rest, zero}))})};
}

Result<Value*> floor_rest(Translation& t, const Pair& p) {
  if (!is_float(p.a->dtype())) return t.add(ops::Mod, {p.a, p.b});
  Formula f(t);
  const Rest rest = rest_of(f, p);
  Value* y = f.where({rest.moves, f.add({rest.toward_zero, p.b}), rest.toward_zero});
  LAPIS_CHECK(f.status());
  return y;
}

// What the rest leaves is close to a whole number of times the divisor; a / 0 as it is.
static Result<Value*> floor_quotient_of_floats(Translation& t, const Pair& p) {
  Formula f(t);
  const Rest rest = rest_of(f, p);
  Value* times = f.op(ops::Round, {f.div({f.sub({p.a, rest.toward_zero}), p.b})});
  Value* whole = f.sub({times, f.cast(rest.moves, p.a->dtype())});
  Value* y = f.where({f.op(ops::Equal, {p.b, f.number(0, p.b->dtype())}), f.div({p.a, p.b}), whole});
  LAPIS_CHECK(f.status());
  return y;
}

Result<Value*> floor_quotient(Translation& t, const Pair& p) {
  if (is_float(p.a->dtype())) return floor_quotient_of_floats(t, p);
  LAPIS_TRY(Value * rest, t.add(ops::Mod, {p.a, p.b}));
  LAPIS_TRY(Value * whole, t.add(ops::Sub, {p.a, rest}));
  return t.add(ops::Div, {whole, p.b});
}

std::span<const AtenRow> elementwise_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
