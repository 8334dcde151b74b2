// The emitters behind the rows of the kernel table.
#pragma once

#include "codegen/plan.h"

namespace lapis::x86 {

// Dense and grouped contractions: per four-byte step load nr vectors of weights, per pixel one broadcast and nr dot instructions.
std::vector<uint8_t> emit_contraction(const Contraction& c, const Plan& plan);

}  // namespace lapis::x86
