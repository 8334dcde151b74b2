// A loop of independent dot products in registers: the peak that kernels are measured against.
#pragma once

#include <vector>

#include "base/target.h"
#include "base/tensor.h"

namespace lapis::x86 {

struct PeakLoop {
  std::vector<uint8_t> code;  // abi::StepFn; units are iterations, the frame is not used
  int64_t macs_per_unit;
};

// The strongest instruction that the rows of base/isa.h name for `target`:
// UInt8 (u8 x s8 into int32), Float32, or BFloat16 where a row has it.
PeakLoop emit_peak(DType dtype, const Target& target);

}  // namespace lapis::x86
