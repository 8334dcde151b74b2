// The C API of an object as textual LLVM IR, and its code as assembly:
// both are templates filled with the Plan's numbers.
#pragma once

#include "codegen/object/object.h"

namespace lapis {

// What addresses are relative to, in an object: nothing, the status, constants, weights, arena, inputs and outputs.
constexpr size_t base_number(abi::Argument::Kind kind, uint64_t io = 0) {
  return static_cast<size_t>(kind) + (kind == abi::Argument::Kind::Io ? static_cast<size_t>(io) : 0);
}

std::string api_ir(const Plan& plan, const CodeImage& image, const ObjectOptions& options);
std::string code_assembly(const CodeImage& image, const ObjectOptions& options);

}  // namespace lapis
