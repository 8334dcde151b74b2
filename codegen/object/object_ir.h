// The C API of an object as textual LLVM IR, and its code as assembly: both are templates filled with the Plan's numbers.
#pragma once

#include "codegen/object/object.h"

namespace lapis {

std::string api_ir(const Plan& plan, const CodeImage& image, const ObjectOptions& options);
std::string code_assembly(const CodeImage& image, const ObjectOptions& options);

}  // namespace lapis
