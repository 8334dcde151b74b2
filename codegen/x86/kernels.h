// The emitters behind the rows of the kernel table.
#pragma once

#include "codegen/plan.h"

namespace lapis::x86 {

// Dense and grouped contractions: per four-byte step load nr vectors of weights, per pixel one broadcast and nr dot
// instructions.
std::vector<uint8_t> emit_contraction(const Contraction& c, const Plan& plan);

// The same with AMX: 16 pixels by up to 64 channels by 64 bytes at once.
std::vector<uint8_t> emit_matrix_tiles(const Contraction& c, const Plan& plan);

// One input channel per output channel. Of floats: an FMA from memory per tap.
std::vector<uint8_t> emit_depthwise_float(const Contraction& c, const Plan& plan);
// Of bytes: the bytes of four taps are interleaved, so that a dot instruction sums four taps of 16 channels.
std::vector<uint8_t> emit_depthwise_bytes(const Contraction& c, const Plan& plan);

// A row that is a library: a jump to the function that its block begins with (codegen/kernels/library.h).
std::vector<uint8_t> emit_library_call(const Contraction& c, const Plan& plan);

}  // namespace lapis::x86
