// A scalar program that grows: Instr of codegen/plan.h in order, where what is there already is not computed twice.
//
//   Program p;
//   const int x = p.add({Op::Load, DType::Float32, {-1, -1, -1}, 0});
//   const int y = p.add(Op::Mul, DType::Float32, {x, p.constant(DType::Float32, 0.5)});
#pragma once

#include <unordered_map>

#include "codegen/plan.h"

namespace lapis::scalar {

// The operands of an instruction, given in braces: what computes them is added from left to right, as C++ promises for
// braces but not for the arguments of a function. So a program is the same whichever compiler has built Lapis.
struct Args {
  int32_t x = -1, y = -1, z = -1;
};

class Program {
 public:
  int add(const Instr& instr);  // returns its id; an identical earlier instruction is reused
  int add(Op op, DType type, Args o = {}) { return add(Instr{op, type, {o.x, o.y, o.z}}); }
  int constant(DType type, Immediate value) { return add({Op::Constant, type, {-1, -1, -1}, -1, value.held_as(type)}); }
  const Instr& operator[](int id) const { return instrs[static_cast<size_t>(id)]; }
  std::vector<Instr> instrs;

 private:
  std::unordered_multimap<uint64_t, int> known_;  // by hash; ids of instructions that are gone do no harm
};

// Types of the operands of `instr`, which is part of `body`; Undefined where there is none.
std::array<DType, 3> operand_types(const Instr& instr, const std::vector<Instr>& body);

// What the first and the last instruction need, in a body whose last one is its
// result and whose first is its accumulator.
std::vector<Instr> without_dead(const std::vector<Instr>& body);
// What instruction `result` needs, which comes last, in an order in which few values are alive at a time;
// constants are not counted.
std::vector<Instr> in_order_of_need(const std::vector<Instr>& body, int result);
// Drops what no store and no reduction needs.
void remove_dead(Loop::Phase& phase);

}  // namespace lapis::scalar
