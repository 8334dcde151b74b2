// xbyak emitters: a scheduled Contraction becomes one function of type abi::StepFn. xbyak itself stays inside
// codegen/x86/*.cpp.
#pragma once

#include "codegen/plan.h"

namespace lapis::x86 {

// Position-independent bytes; constants it needs besides plan.constants are embedded behind the code (rip-relative).
// Buffer offsets in `plan` must be final (memory planning done).
std::vector<uint8_t> emit(const Contraction& c, const Plan& plan);

}  // namespace lapis::x86
