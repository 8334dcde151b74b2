// Work units: how a contraction is cut for threads and in which order blocks and pixels are walked.
#pragma once

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// Units in execution order. Neighbours share what is larger: weights (blocks outside, pixels inside) or input (the
// other way round).
std::vector<Unit> make_units(const Contraction& c, const Blocking& blocking);

}  // namespace lapis::kernels
