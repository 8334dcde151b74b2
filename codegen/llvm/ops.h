// One scalar-program instruction as LLVM IR, for every Op that computes a value from
// values (not Load, Gather, Index, Reduced).
#pragma once

#include <array>

#include "codegen/llvm/lanes.h"

namespace lapis::llvm_backend {

struct Operand {
  llvm::Value* value = nullptr;
  DType type = DType::Undefined;
};

std::string refuse_type(DType type);  // packed, 8-bit float, complex and string elements have no code
// The reason why there is no code for `instr` with operands of these types; empty if there is.
std::string refuse_op(const Instr& instr, const std::array<DType, 3>& types);

llvm::Value* emit_op(const Lanes& lanes, const Instr& instr, const std::array<Operand, 3>& operands);

}  // namespace lapis::llvm_backend
