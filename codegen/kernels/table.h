// The kernel table: one row a kernel. Choosing (schedule.cpp) reads it, codegen/x86 emits it, tests and benchmarks
// iterate it.
#pragma once

#include <span>
#include <string_view>

#include "codegen/plan.h"

namespace lapis::kernels {

// How four bytes of input meet four bytes of weights in a 32-bit lane.
enum class Dot : uint8_t {
  Fma,   // vfmadd231ps: the four bytes are one float
  Vnni,  // vpdpbusd: unsigned input; int8 input is flipped to input + 128 and the compensation follows
  Madd,  // vpmaddwd on bytes widened to words: exact, where vpmaddubsw would saturate
};

struct Kernel {
  std::string_view name;
  DType a, b, accumulator;
  Dot dot;
  int lanes;   // 32-bit lanes of a vector: 16 (zmm) or 8 (ymm)
  int max_nr;  // most vectors of channels in a tile
  Isa needs;
  bool depthwise;  // one input channel per output channel, instead of a sum over channels
  std::vector<uint8_t> (*emit)(const Contraction& c, const Plan& plan);

  int registers() const { return lanes == 16 ? 32 : 16; }
};

std::span<const Kernel> table();
inline const Kernel& row_of(const Contraction& c) { return table()[static_cast<size_t>(c.kernel)]; }

// Pixels a tile with `nr` vectors of channels can have: what registers allow for sums, operands and the epilogue. 0:
// none.
int max_mr(const Kernel& kernel, const Contraction& c, int nr);

// Vectors of weights that a depthwise row keeps in registers for a whole unit; 0: it reads them where it needs them.
int resident_weights(const Kernel& kernel, const Contraction& c);

// Estimated cycles of `c` on one core with blocks of `nr` vectors. Only for comparing candidates.
double cost(const Kernel& kernel, const Contraction& c, int nr);

}  // namespace lapis::kernels
