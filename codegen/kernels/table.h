// The kernel interface: what a kernel computes, needs and costs, and who emits it. Choosing (schedule.cpp) reads the
// table of rows, codegen/x86 holds it (x86/rows.cpp), tests and benchmarks iterate it. Nothing here knows an emitter.
//
//   for (const Kernel& kernel : table())
//     if (!misfit(kernel, c, target)) best = std::min(best, cost(kernel, c, 4));
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codegen/plan.h"

namespace lapis::kernels {

// How four bytes of input meet four bytes of weights in a 32-bit lane.
enum class Dot : uint8_t {
  Fma,       // vfmadd231ps: the four bytes are one float
  Vnni,      // vpdpbusd: unsigned input; int8 input is flipped to input + 128 and the compensation follows
  Madd,      // vpmaddwd on bytes widened to words: exact, where vpmaddubsw would saturate
  Tile,      // tdpbusd, tdpbssd: 16 pixels by 16 channels by 64 bytes of matrices in tile registers
  Bf16,      // vdpbf16ps: two bfloat16 products into a float; what it rounds and flushes says docs/numerics.md
  TileBf16,  // tdpbf16ps: the same sums in tile registers, in an order of their own
};

// How the weights of a block of channels lie in the packed image (blocking.h).
enum class WeightFormat : uint8_t {
  Panels,       // sums over channels: 64 of them, [tap][step of four bytes][channel], the same for all rows
  Taps,         // one input channel per output channel: [tap][vector][lane]
  Interleaved,  // the same, of bytes: [step of four taps][four vectors][lane]
  Library,      // as a library likes them
};

constexpr int kTileRows = 16;  // most pixels of a tile of matrices

// Why a kernel cannot compute a contraction, and what helps.
struct Misfit {
  std::string reason, help;
};

struct Kernel;
struct LibraryKernel;  // codegen/kernels/library.h

// What stands behind a row whose emission is a call: a library that brings tiles and weights of its own.
struct Library {
  // Runs that the pixels of a contraction that fits can be cut into.
  int64_t (*most_splits)(const Contraction& c);
  // What is called for a contraction that fits and has a schedule.
  Result<LibraryKernel> (*bind)(const Contraction& c);
};

// What kernels that form their sums in the same way have in common:
// a new way to do that is one of these and an emitter.
struct Structure {
  WeightFormat weights;
  // Whether it can, types and instructions aside; nothing if so.
  std::optional<Misfit> (*fits)(const Kernel& kernel, const Contraction& c);
  // Of rows that form sums in tiles; a library has none of the two. Pixels that a tile of `nr` vectors can have: what
  // registers allow for sums, operands and the epilogue. 0: none.
  int (*most_pixels)(const Kernel& kernel, const Contraction& c, int nr);
  // Cycles of one tile; `steps` of four bytes (of 64 in matrix tiles), `epilogue` cycles for each of its vectors.
  double (*tile_cycles)(const Kernel& kernel, double steps, double epilogue, int mr, int nr);
  std::vector<uint8_t> (*emit)(const Contraction& c, const Plan& plan);
  const Library* library = nullptr;
};

struct Kernel {
  std::string_view name;
  DType a, b, accumulator;
  Dot dot;
  int lanes;   // 32-bit lanes of a vector: 16 (zmm) or 8 (ymm)
  int max_nr;  // most vectors of channels in a tile
  Isa needs;
  const Structure& structure;

  bool in_tiles() const { return dot == Dot::Tile || dot == Dot::TileBf16; }
  int registers() const { return lanes == 16 ? 32 : 16; }
  WeightFormat weights() const { return structure.weights; }
  // One input channel per output channel, instead of a sum over channels.
  bool depthwise() const { return weights() == WeightFormat::Taps || weights() == WeightFormat::Interleaved; }
  bool library() const { return structure.library != nullptr; }
};

std::span<const Kernel> table();  // in codegen/x86/rows.cpp
inline const Kernel& row_of(const Contraction& c) { return table()[static_cast<size_t>(c.schedule.row)]; }

// Why the kernel cannot compute `c` on the target, or nothing.
std::optional<Misfit> misfit(const Kernel& kernel, const Contraction& c, const Target& target);

inline int max_mr(const Kernel& kernel, const Contraction& c, int nr) {
  return kernel.structure.most_pixels(kernel, c, nr);
}

// Estimated cycles of `c` on one core with blocks of `nr` vectors. Only for comparing candidates.
double cost(const Kernel& kernel, const Contraction& c, int nr);

}  // namespace lapis::kernels
