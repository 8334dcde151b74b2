// xbyak emitters: a scheduled Contraction becomes one function of type abi::StepFn. xbyak itself stays inside
// codegen/x86/*.cpp.
#pragma once

#include "codegen/step_code.h"

namespace lapis::x86 {

// Constants that the code needs besides its block are embedded behind it (rip-relative). Neither the key nor the bytes
// depend on where buffers lie, on the values of packed constants beyond their magnitude, or on the number of pixels
// beyond what tiles follow from it.
codegen::StepCode step_code(const Contraction& c, const Plan& plan);

// The code alone. Buffer offsets in `plan` need not be known yet.
std::vector<uint8_t> emit(const Contraction& c, const Plan& plan);

}  // namespace lapis::x86
