// Elementwise ONNX operators as scalar programs (plan.h's Instr), used by loops and by the epilogues of contractions.
// The rows in codegen/lower/ops say how each operator is translated.
#pragma once

#include <functional>
#include <optional>

#include "codegen/scalar/program.h"
#include "ir/graph.h"

namespace lapis::codegen {

using scalar::Args;
using scalar::Program;

// The instruction that holds operand i of the node being translated.
using Operand = std::function<int(size_t)>;

// What a translation sees: the node, its operands as instructions, and shorthands that keep the type of its arithmetic:
// the result's, but halves compute in float and are rounded once, at the end of the operator.
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
  const Instr& instr(int id) const { return p_[id]; }
  template <class T> T attrs() const { return node.attrs<T>(); }

  int op(Op op, Args o) { return p_.add(op, type(), o); }
  int as(DType type, Op op, Args o) { return p_.add(op, type, o); }
  int to(DType type, int a) { return type_of(a) == type ? a : as(type, Op::Cast, {a}); }
  int k(Immediate value) { return p_.constant(type(), value); }
  int raw(Instr instr) { return p_.add(instr); }

  int mul(Args o) { return op(Op::Mul, o); }
  int add(Args o) { return op(Op::Add, o); }
  int sub(Args o) { return op(Op::Sub, o); }
  int less(Args o) { return as(DType::Bool, Op::Less, o); }
  int select(Args o) { return op(Op::Select, o); }  // condition, yes, no

  static DType arithmetic(DType type);
  const Node& node;

 private:
  Program& p_;
  const Operand& operand_;
};

// Appends the computation of an elementwise node; returns the id of its result.
using Translate = int (*)(Scalar&);
int translate(const Node& node, Program& program, const Operand& operand);

template <Op kOp> int unary(Scalar& s) { return s.op(kOp, {s.in(0)}); }
template <Op kOp> int binary(Scalar& s) { return s.op(kOp, {s.in(0), s.in(1)}); }
template <Op kOp> int variadic(Scalar& s) {
  int result = s.in(0);
  for (size_t i = 1; i < s.node.inputs().size(); ++i) result = s.op(kOp, {result, s.in(i)});
  return result;
}

// The single element of a constant value with one element.
std::optional<Immediate> scalar_constant(const Value* value);

}  // namespace lapis::codegen
