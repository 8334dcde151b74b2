// Elementary functions as scalar programs: arithmetic, bits and comparisons, each one IEEE operation. So loops and the
// epilogues of kernels compute the same bits on every ISA, and whoever emits the operations can compute the functions.
//
//   expand({load, sigmoid %0, mul %0 %1})  ==  {load, abs %0, neg %1, ..., div, mul %0 %29}, ids {0, 28, 29}
//
// How far from the true value they are is in the table of codegen/scalar/ops.h. Exp, Expm1, Log, Log1p, Erf, NormalCdf,
// Tanh and Sigmoid of floats work in float; the other functions, and Pow, in double, rounded once. Float64 operands
// take the same formulas in double. Sin, Cos and Tan are not written out: the reduction of their angles is code of
// codegen/llvm.
#pragma once

#include "codegen/plan.h"

namespace lapis::scalar {

// True if `op` on operands of `type` is written out.
bool expands(Op op, DType type);
// False where there is no formula: Erf and NormalCdf of doubles.
bool has_formula(Op op, DType type);

// True if some instruction is written out.
bool has_functions(const std::vector<Instr>& body);

struct Expansion {
  std::vector<Instr> body;
  std::vector<int32_t> ids;  // of the original instructions in it
};
// Computes what `body` does; a body without functions comes back as it is.
Expansion expand(std::vector<Instr> body);
// The phase with its body written out, stores and reductions following.
Loop::Phase expand(const Loop::Phase& phase);

}  // namespace lapis::scalar
