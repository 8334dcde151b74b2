// Turns one relocatable ELF object into a position-independent image: code, then its constants, all references resolved.
#pragma once

#include <cstddef>
#include <span>

#include "codegen/plan.h"

namespace lapis::llvm_backend {

// Symbols are the object's functions, in the object's order, with units = 1. A reference to anything outside of the object is a bug.
CodeImage link_image(std::span<const char> object);

}  // namespace lapis::llvm_backend
