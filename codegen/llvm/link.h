// Turns one relocatable ELF object into a position-independent image:
// code, then its constants, all references resolved.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lapis::llvm_backend {

// The function `symbol`, at the beginning, and all that it refers to.
// A reference to anything outside of the object is a bug.
std::vector<uint8_t> link_function(std::span<const char> object, const std::string& symbol);

}  // namespace lapis::llvm_backend
