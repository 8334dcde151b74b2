// One instruction of a scalar program (plan.h), computed by the functions that define ONNX's operators
// (ir/ops/numerics.h): the one oracle of the kernel tests and of the plan interpreter.
#pragma once

#include "codegen/plan.h"

namespace lapis::testing {

// An element as a number, and a number as an element; rounded to the type if it must be.
Immediate read_element(const void* at, DType dtype);
void write_element(void* at, DType dtype, Immediate value);

// The result of `instr` for operands of these types. Not for what reads memory (scalar::Kind::Memory), except Constant.
Immediate apply(const Instr& instr, const std::array<Immediate, 3>& args, const std::array<DType, 3>& types);

// Partial results `a` and `b` of a reduction, combined.
Immediate combine(Loop::Reduce kind, DType dtype, Immediate a, Immediate b);

// Equal bits, or NaN both.
bool same_number(Immediate a, Immediate b);

}  // namespace lapis::testing
