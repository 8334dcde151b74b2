// Comparison, logic and selection.
#include <functional>

#include "ir/ops/elementwise.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr Traits kElementwise = Trait::Pure | Trait::Elementwise;
constexpr TypeSet kBool = types(DType::Bool);
constexpr TypeSet kEqualTypes = kNumbers | kBool | types(DType::String);

Status evaluate_equal(EvalContext& c) {
  if (c.in(0).dtype() != DType::String) return evaluate_comparison<kNumbers | kBool, std::equal_to<>{}>(c);
  LAPIS_TRY(const std::vector<Tensor> in, broadcast_operands(c));
  const auto equal = c.out(0, DType::Bool, in[0].shape()).mutable_data<bool>();
  for (size_t i = 0; i < equal.size(); ++i) equal[i] = in[0].string_data()[i] == in[1].string_data()[i];
  return ok();
}

// Contents of a truth value: 1 or 0 where the symbols leave no doubt.
Dim dim_equal(const Dim& a, const Dim& b) {
  if (a == b) return 1;
  return (a - b - Dim(1)).never_negative() || (b - a - Dim(1)).never_negative() ? Dim(0) : Dim::unknown();
}

Result<Types> infer_where(const InferContext& c) { return infer_broadcast_as(c, c.in(1).dtype, 1); }

// Both candidates behind each other are one source to pick from.
Status evaluate_where(EvalContext& c) {
  LAPIS_TRY(const std::vector<Tensor> in, broadcast_operands(c));
  const auto condition = in[0].data<bool>();
  const int64_t count = in[0].size();
  std::vector<int64_t> index(static_cast<size_t>(count));
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int64_t>(i) + (condition[i] ? 0 : count);
  c.set_out(0, pick(concat({in[1].reshaped({count}), in[2].reshaped({count})}, 0), in[0].shape(), std::move(index)));
  return ok();
}

std::optional<Dims> propagate_where(const InferContext& c) {
  const auto condition = c.contents(0), x = c.contents(1), y = c.contents(2);
  if (!condition || !x || !y) return std::nullopt;
  for (size_t i = 0; i < 3; ++i)
    if (!c.in(i).ranked() || c.in(i).rank() > 1) return std::nullopt;
  const size_t count = std::max({condition->size(), x->size(), y->size()});
  auto at = [](const Dims& dims, size_t i) {
    return dims.size() == 1 ? dims[0] : i < dims.size() ? dims[i] : Dim::unknown();
  };
  Dims result;
  for (size_t i = 0; i < count; ++i) {
    const Dim which = at(*condition, i), a = at(*x, i), b = at(*y, i);
    result.push_back(which.is_constant() ? (which.is(0) ? b : a) : a == b ? a : Dim::unknown());
  }
  return result;
}

OpDef comparison(std::string_view name, int since, TypeSet types, EvaluateFn evaluate, Traits traits,
                 std::string_view doc, PropagateFn propagate = nullptr) {
  return op(name)
      .since(since)
      .doc(doc)
      .in("A", types, "T")
      .in("B", types, "T")
      .out("C", kBool)
      .infer(infer_comparison)
      .evaluate(evaluate)
      .propagate(propagate)
      .traits(traits);
}

constexpr Traits kSymmetric = kElementwise | Trait::Commutative;

}  // namespace

const OpDef And =
    comparison("And", 7, kBool, evaluate_comparison<kBool, std::logical_and<>{}>, kSymmetric, "True where both are.");
const OpDef Equal =
    comparison("Equal", 19, kEqualTypes, evaluate_equal, kSymmetric, "a == b.", propagate_binary<dim_equal>);
const OpDef Greater =
    comparison("Greater", 13, kNumbers, evaluate_comparison<kNumbers, std::greater<>{}>, kElementwise, "a > b.");
const OpDef GreaterOrEqual = comparison("GreaterOrEqual", 16, kNumbers,
                                        evaluate_comparison<kNumbers, std::greater_equal<>{}>, kElementwise, "a >= b.");
const OpDef Less =
    comparison("Less", 13, kNumbers, evaluate_comparison<kNumbers, std::less<>{}>, kElementwise, "a < b.");
const OpDef LessOrEqual = comparison("LessOrEqual", 16, kNumbers, evaluate_comparison<kNumbers, std::less_equal<>{}>,
                                     kElementwise, "a <= b.");
const OpDef Or =
    comparison("Or", 7, kBool, evaluate_comparison<kBool, std::logical_or<>{}>, kSymmetric, "True where either is.");
const OpDef Xor = comparison("Xor", 7, kBool, evaluate_comparison<kBool, std::not_equal_to<>{}>, kSymmetric,
                             "True where exactly one is.");

const OpDef Where = op("Where")
                        .since(16)
                        .doc("X where the condition holds, else Y.")
                        .in("condition", kBool)
                        .in("X", kTensors, "T")
                        .in("Y", kTensors, "T")
                        .out("output", kTensors)
                        .infer(infer_where)
                        .evaluate(evaluate_where)
                        .propagate(propagate_where)
                        .traits(kElementwise);

}  // namespace lapis::ops
