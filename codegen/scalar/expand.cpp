#include "codegen/scalar/expand.h"

#include <algorithm>

#include "base/check.h"
#include "codegen/scalar/formulas.h"
#include "codegen/scalar/ops.h"

namespace lapis::scalar {
namespace {

using Function = int (Formulas::*)(int) const;

struct Formula {
  Op op;
  Function function;
  bool in_float;  // of floats in float, else in double
  bool of_doubles = true;
};

constexpr Formula kFormulas[] = {
    {Op::Exp, static_cast<Function>(&Formulas::exp), true},
    {Op::Expm1, &Formulas::expm1, true},
    {Op::Log, &Formulas::log, true},
    {Op::Log1p, &Formulas::log1p, true},
    {Op::Tanh, &Formulas::tanh, true},
    {Op::Sigmoid, &Formulas::sigmoid, true},
    {Op::Erf, &Formulas::erf, true, false},
    {Op::NormalCdf, &Formulas::normal_cdf, true, false},
    {Op::Sinh, &Formulas::sinh, false},
    {Op::Cosh, &Formulas::cosh, false},
    {Op::Asinh, &Formulas::asinh, false},
    {Op::Acosh, &Formulas::acosh, false},
    {Op::Atanh, &Formulas::atanh, false},
    {Op::Atan, &Formulas::atan, false},
    {Op::Asin, &Formulas::asin, false},
    {Op::Acos, &Formulas::acos, false},
};

const Formula* formula_of(Op op) {
  const auto found = std::ranges::find(kFormulas, op, &Formula::op);
  return found == std::end(kFormulas) ? nullptr : found;
}

int cast(Program& program, DType type, int x) { return program[x].type == type ? x : program.add(Op::Cast, type, {x}); }

// In float or double, whatever the type of the instruction; halves are rounded once, at the end.
int expand_one(Program& program, const Instr& i) {
  const Formulas formulas(program);
  const int x = i.args[0];
  const bool wide = i.type == DType::Float64;
  if (i.op == Op::Pow) {
    const int a = cast(program, DType::Float64, x), b = cast(program, DType::Float64, i.args[1]);
    return cast(program, i.type, formulas.pow(a, b, wide));
  }
  const Formula& formula = *formula_of(i.op);
  const DType type = wide || !formula.in_float ? DType::Float64 : DType::Float32;
  return cast(program, i.type, (formulas.*formula.function)(cast(program, type, x)));
}

}  // namespace

bool expands(Op op, DType type) { return is_float(type) && (op == Op::Pow || formula_of(op) != nullptr); }

bool has_formula(Op op, DType type) {
  const Formula* formula = formula_of(op);
  return expands(op, type) && (!formula || type != DType::Float64 || formula->of_doubles);
}

bool has_functions(const std::vector<Instr>& body) {
  return std::ranges::any_of(body, [](const Instr& i) { return expands(i.op, i.type); });
}

Expansion expand(std::vector<Instr> body) {
  Expansion result;
  const bool any = has_functions(body);
  Program program;
  for (Instr i : body) {
    if (!any) break;
    for (int32_t& arg : i.args)
      if (arg >= 0) arg = result.ids[static_cast<size_t>(arg)];
    result.ids.push_back(expands(i.op, i.type) ? expand_one(program, i) : program.add(i));
  }
  if (any) {
    result.body = std::move(program.instrs);
    return result;
  }
  for (size_t id = 0; id < body.size(); ++id) result.ids.push_back(static_cast<int32_t>(id));
  result.body = std::move(body);
  return result;
}

Loop::Phase expand(const Loop::Phase& phase) {
  Expansion expansion = expand(phase.body);
  Loop::Phase result = phase;
  result.body = std::move(expansion.body);
  for (Loop::Store& s : result.stores) s.value = expansion.ids[static_cast<size_t>(s.value)];
  for (Loop::Reduction& r : result.reductions) {
    const bool function = expands(phase.body[static_cast<size_t>(r.value)].op, r.type);
    r.value = expansion.ids[static_cast<size_t>(r.value)];
    if (!function) continue;
    // Sums fuse with a product that the model writes; the last product of a formula is none.
    result.body.push_back({Op::Cast, r.type, {r.value, -1, -1}});
    r.value = static_cast<int32_t>(result.body.size()) - 1;
  }
  return result;
}

}  // namespace lapis::scalar
