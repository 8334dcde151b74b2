// Work units: how a contraction is cut for threads and in which order blocks and pixels are walked.
#pragma once

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// Units in execution order, as c.schedule says: blocks outside and runs of pixels inside, or the other way round.
std::vector<Unit> make_units(const Contraction& c, const Blocking& blocking);

}  // namespace lapis::kernels
