#include "codegen/kernels/structures.h"

#include <algorithm>

#include "codegen/kernels/blocking.h"
#include "codegen/kernels/epilogue_analysis.h"

namespace lapis::kernels {
namespace {

constexpr int kMostPixels = 12;  // one general register each, three for the walk
constexpr int kQuad = 4;         // vectors that interleaved rows compute together

// Registers that an epilogue takes from the sums: none where they may wait in memory. It has them all then, but those
// of the quad whose results are packed together.
// Rows and tiles are tried one after another for the same contraction, so that the last answer is kept.
int epilogue_registers(const Contraction& c) {
  struct Answer {
    std::vector<Instr> epilogue;
    std::vector<EpilogueOperand::Kind> kinds;
    int registers = 0;
  };
  thread_local Answer last;
  if (last.epilogue != c.epilogue || !std::ranges::equal(last.kinds, c.operands, {}, {}, &EpilogueOperand::kind)) {
    last = {c.epilogue, {}, scalar::has_functions(c.epilogue) ? 0 : EpilogueAnalysis(c, nullptr).registers()};
    for (const EpilogueOperand& operand : c.operands) last.kinds.push_back(operand.kind);
  }
  return last.registers;
}

// The most pixels of `vectors` sums each that fit beside what stays (`resident`) and
// what either the sum or the epilogue needs.
template <class Operands>
int most_pixels(const Kernel& kernel, int most, int vectors, int resident, int epilogue, Operands operands) {
  int mr = most;
  while (mr > 0 && mr * vectors + resident + std::max(epilogue, operands(mr)) > kernel.registers()) --mr;
  return mr;
}

// Cycles of one pixel's epilogue: `vector` for each vector, then packs and a store for each quad; three vectors also
// need a shuffle and a masked store.
double epilogue_cycles(int nr, double vector) {
  const int quads = (nr + 3) / 4;
  return nr * vector + 5 * quads + (nr % 4 == 3 ? 3 : 0) + 2;
}

}  // namespace

// ---- sums over channels ----

std::optional<Misfit> fits_panels(const Kernel&, const Contraction&) { return std::nullopt; }

int most_pixels_of_panels(const Kernel& kernel, const Contraction& c, int nr) {
  const int flip = kernel.dot == Dot::Vnni && kernel.a == DType::Int8;
  return most_pixels(kernel, kMostPixels, nr, 0, epilogue_registers(c),
                     [&](int mr) { return kernel.dot == Dot::Madd ? 2 * nr + 3 : (mr == 1 ? 0 : nr) + 1 + flip; });
}

// Dot instructions and loads each issue one a cycle (measured on Zen 4), four sums hide the latency of a dot
// instruction, weights beyond the first-level cache arrive at 29 bytes a cycle.
double panel_tile_cycles(const Kernel& kernel, double steps, double epilogue, int mr, int nr) {
  const double per_dot = kernel.dot == Dot::Madd ? 2 : kernel.lanes == 8 ? 0.5 : 1;
  const double load = kernel.lanes == 8 ? 0.5 : 1;
  double step = std::max({mr * nr * per_dot, (mr + nr) * load, 4.0});
  const double weight_bytes = nr * kernel.lanes * 4;
  if (steps * weight_bytes > 24 * 1024) step = std::max(step, weight_bytes / 29);
  return steps * step + mr * epilogue_cycles(nr, epilogue) + 20;
}

int most_pixels_of_tiles(const Kernel&, const Contraction&, int) {
  return kTileRows;
}  // not limited by vector registers

// As documented, not measured: a product takes a cycle a row and four registers of sums hide its latency, a register is
// loaded in 8 cycles and stored in 16.
double matrix_tile_cycles(const Kernel&, double rounds, double epilogue, int mr, int nr) {
  return rounds * std::max(nr * std::max(mr, 8), 8 * (1 + nr)) + nr * 24 + mr * epilogue_cycles(nr, epilogue) + 20;
}

// ---- one input channel per output channel ----

std::optional<Misfit> fits_depthwise(const Kernel&, const Contraction& c) {
  constexpr size_t kMostTaps = 128;
  if (!(c.groups == c.channels && c.k == 1 && c.group_stride == 1)) return Misfit{"it is not depthwise", {}};
  if (c.taps.size() > kMostTaps)
    return Misfit{"depthwise kernels unroll their taps, and " + std::to_string(c.taps.size()) + " are too many", {}};
  return std::nullopt;
}

int most_pixels_of_taps(const Kernel& kernel, const Contraction& c, int nr) {
  return most_pixels(kernel, kMostPixels, nr, 0, epilogue_registers(c), [](int) { return 2; });
}

int most_pixels_interleaved(const Kernel& kernel, const Contraction& c, int) {
  const int most = kernel.dot == Dot::Vnni && shares_columns(c) ? 2 : kMostPixels;
  return most_pixels(kernel, most, kQuad, resident_weights(kernel, c), epilogue_registers(c), [](int) { return 7; });
}

// One FMA with a load a tap.
double taps_tile_cycles(const Kernel& kernel, double taps, double epilogue, int mr, int nr) {
  const double vector = kernel.lanes == 8 ? 0.5 : 1;
  return mr * (nr * taps * vector + epilogue_cycles(nr, epilogue)) + 20;
}

// Eight interleaving shuffles and four dot products for four taps.
double interleaved_tile_cycles(const Kernel& kernel, double taps, double epilogue, int mr, int nr) {
  const double vector = kernel.lanes == 8 ? 0.5 : 1;
  return mr * (taps / 4 * (kernel.dot == Dot::Vnni ? 10 : 26) * vector +
               epilogue_cycles(nr, epilogue) * (1 + vector) / 2) +
         20;
}

int resident_weights(const Kernel& kernel, const Contraction& c) {
  constexpr int kMost = 12;  // 3x3: three vectors of four taps for each of four vectors of channels
  const auto vectors = static_cast<int>((c.taps.size() + 3) / 4 * 4);
  return kernel.weights() == WeightFormat::Interleaved && kernel.dot == Dot::Vnni && kernel.lanes == 16 &&
                 vectors <= kMost && epilogue_registers(c) <= 16
             ? vectors
             : 0;
}

}  // namespace lapis::kernels
