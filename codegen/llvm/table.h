// Op::Table: every byte of a vector replaced by its element of a table of 256 bytes, in registers: with two
// permutations of whole halves where the machine has VBMI, else row by row with shuffles of 16 bytes. A single byte is
// a load.
#pragma once

#include <functional>

#include "codegen/llvm/lanes.h"

namespace lapis::llvm_backend {

// `index` is an i8 or a vector of them. `load(offset, bytes)` gives bytes of the table as a vector,
// `at(offset)` one of them at an i64.
struct TableAccess {
  std::function<llvm::Value*(int64_t offset, int bytes)> load;
  std::function<llvm::Value*(llvm::Value* offset)> at;
};
llvm::Value* emit_table(const Lanes& lanes, const Target& target, llvm::Value* index, const TableAccess& table);

}  // namespace lapis::llvm_backend
