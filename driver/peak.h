// The most multiply-accumulates a core of this host can do, measured now: what benchmarks are a fraction of.
#pragma once

#include "base/target.h"
#include "base/tensor.h"

namespace lapis {

// GMAC/s of independent dot products in registers (codegen/x86/peak.h). Best of several short runs.
Result<double> measure_peak(DType dtype, const Target& target);

}  // namespace lapis
