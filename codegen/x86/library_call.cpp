#include <xbyak/xbyak.h>

#include "codegen/kernels/library.h"
#include "codegen/x86/kernels.h"

namespace lapis::x86 {

// The function takes the arguments as they are and returns to the caller.
std::vector<uint8_t> emit_library_call(const Contraction&, const Plan&) {
  Xbyak::CodeGenerator code;
  code.jmp(code.qword[code.rdi + 8 * kernels::library_word::kFunction]);
  return {code.getCode(), code.getCode() + code.getSize()};
}

}  // namespace lapis::x86
