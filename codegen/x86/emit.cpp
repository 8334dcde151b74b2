#include "codegen/x86/emit.h"

#include <xbyak/xbyak.h>

#include <new>

#include "base/check.h"
#include "codegen/kernels/table.h"

namespace lapis::x86 {

std::vector<uint8_t> emit(const Contraction& c, const Plan& plan) {
  LAPIS_ASSERT(c.schedule.row >= 0, "contraction '" << c.name << "' was not scheduled");
  try {
    return kernels::row_of(c).structure.emit(c, plan);
  } catch (const Xbyak::Error& failure) {
    if (static_cast<int>(failure) == Xbyak::ERR_CANT_ALLOC) throw std::bad_alloc();
    // An operand no instruction has: our bug, wherever it came from.
    LAPIS_ASSERT(false, "emitting '" << c.name << "' with " << kernels::row_of(c).name << ": " << failure.what());
  }
  return {};
}

}  // namespace lapis::x86
