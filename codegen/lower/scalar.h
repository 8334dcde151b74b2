// Elementwise ONNX operators as scalar programs (plan.h's Instr): one table, used by loops and by the epilogues of contractions.
#pragma once

#include <functional>

#include "codegen/plan.h"
#include "ir/graph.h"

namespace lapis::codegen {

// A growing SSA list.
class Program {
 public:
  int add(Instr instr);  // returns its id; an identical earlier instruction is reused
  int add(Op op, DType type, std::array<int32_t, 3> args = {-1, -1, -1}) { return add(Instr{op, type, args}); }
  int constant(DType type, Immediate value) { return add({Op::Constant, type, {-1, -1, -1}, -1, value.held_as(type)}); }
  const Instr& operator[](int id) const { return instrs[static_cast<size_t>(id)]; }
  std::vector<Instr> instrs;
};

// The instruction that holds operand i of the node being translated.
using Operand = std::function<int(size_t)>;

// True if the node is elementwise and translate() knows it (its operand types included).
bool is_scalar(const Node& node);
// Appends the node's computation; returns the id of its result. Asserts is_scalar(node).
int translate(const Node& node, Program& program, const Operand& operand);

// The single element of a constant value with one element.
std::optional<Immediate> scalar_constant(const Value* value);

}  // namespace lapis::codegen
