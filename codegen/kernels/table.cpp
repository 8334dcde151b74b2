#include "codegen/kernels/table.h"

#include <algorithm>

#include "codegen/kernels/blocking.h"
#include "codegen/scalar/expand.h"
#include "codegen/scalar/ops.h"
#include "codegen/x86/epilogue_analysis.h"
#include "codegen/x86/kernels.h"

namespace lapis::kernels {
namespace {

constexpr DType kF32 = DType::Float32, kU8 = DType::UInt8, kS8 = DType::Int8, kS32 = DType::Int32;
constexpr int kMostPixels = 12;  // one general register each, three for the walk

// clang-format off
constexpr Kernel kTable[] = {
    // name                  a     b     sum   dot        lanes nr  needs             depthwise emitter
    {"conv_f32_avx512",      kF32, kF32, kF32, Dot::Fma,  16,   8,  Isa::Avx512,      false,    x86::emit_contraction},
    {"conv_u8s8_avx512vnni", kU8,  kS8,  kS32, Dot::Vnni, 16,   8,  Isa::Avx512Vnni,  false,    x86::emit_contraction},
    {"conv_s8s8_avx512vnni", kS8,  kS8,  kS32, Dot::Vnni, 16,   8,  Isa::Avx512Vnni,  false,    x86::emit_contraction},
    {"conv_u8s8_avx512",     kU8,  kS8,  kS32, Dot::Madd, 16,   4,  Isa::Avx512,      false,    x86::emit_contraction},
    {"conv_s8s8_avx512",     kS8,  kS8,  kS32, Dot::Madd, 16,   4,  Isa::Avx512,      false,    x86::emit_contraction},
    {"conv_u8s8_avx512vnni_ymm", kU8, kS8, kS32, Dot::Vnni, 8,   4,  Isa::Avx512Vnni,  false,    x86::emit_contraction},
    {"conv_s8s8_avx512vnni_ymm", kS8, kS8, kS32, Dot::Vnni, 8,   4,  Isa::Avx512Vnni,  false,    x86::emit_contraction},
    {"conv_u8s8_avxvnni",    kU8,  kS8,  kS32, Dot::Vnni, 8,    4,  Isa::AvxVnni,     false,    x86::emit_contraction},
    {"conv_s8s8_avxvnni",    kS8,  kS8,  kS32, Dot::Vnni, 8,    4,  Isa::AvxVnni,     false,    x86::emit_contraction},
    {"conv_f32_avx2",        kF32, kF32, kF32, Dot::Fma,  8,    4,  Isa::Avx2,        false,    x86::emit_contraction},
    {"conv_u8s8_avx2",       kU8,  kS8,  kS32, Dot::Madd, 8,    2,  Isa::Avx2,        false,    x86::emit_contraction},
    {"conv_s8s8_avx2",       kS8,  kS8,  kS32, Dot::Madd, 8,    2,  Isa::Avx2,        false,    x86::emit_contraction},
    {"dw_f32_avx512",        kF32, kF32, kF32, Dot::Fma,  16,   4,  Isa::Avx512,   true,  x86::emit_depthwise_float},
    {"dw_u8s8_avx512vnni",   kU8,  kS8,  kS32, Dot::Vnni, 16,   4,  Isa::Avx512Vnni,  true,     x86::emit_depthwise_bytes},
    {"dw_s8s8_avx512vnni",   kS8,  kS8,  kS32, Dot::Vnni, 16,   4,  Isa::Avx512Vnni,  true,     x86::emit_depthwise_bytes},
    {"dw_u8s8_avx512",       kU8,  kS8,  kS32, Dot::Madd, 16,   4,  Isa::Avx512,   true,  x86::emit_depthwise_bytes},
    {"dw_s8s8_avx512",       kS8,  kS8,  kS32, Dot::Madd, 16,   4,  Isa::Avx512,   true,  x86::emit_depthwise_bytes},
    {"dw_u8s8_avx512vnni_ymm", kU8, kS8, kS32, Dot::Vnni, 8,    4,  Isa::Avx512Vnni,  true,     x86::emit_depthwise_bytes},
    {"dw_s8s8_avx512vnni_ymm", kS8, kS8, kS32, Dot::Vnni, 8,    4,  Isa::Avx512Vnni,  true,     x86::emit_depthwise_bytes},
    {"dw_u8s8_avxvnni",      kU8,  kS8,  kS32, Dot::Vnni, 8,    4,  Isa::AvxVnni,  true,  x86::emit_depthwise_bytes},
    {"dw_s8s8_avxvnni",      kS8,  kS8,  kS32, Dot::Vnni, 8,    4,  Isa::AvxVnni,  true,  x86::emit_depthwise_bytes},
    {"dw_f32_avx2",          kF32, kF32, kF32, Dot::Fma,  8,    4,  Isa::Avx2,     true,  x86::emit_depthwise_float},
    {"dw_u8s8_avx2",         kU8,  kS8,  kS32, Dot::Madd, 8,    4,  Isa::Avx2,     true,  x86::emit_depthwise_bytes},
    {"dw_s8s8_avx2",         kS8,  kS8,  kS32, Dot::Madd, 8,    4,  Isa::Avx2,     true,  x86::emit_depthwise_bytes},
};
// clang-format on

// Registers besides the sums while the sum is formed.
int operand_registers(const Kernel& kernel, int nr, bool one_pixel) {
  const int flip = kernel.dot == Dot::Vnni && kernel.a == kS8;
  if (kernel.depthwise) return kernel.dot == Dot::Fma ? 2 : 7;
  if (kernel.dot == Dot::Madd) return 2 * nr + 3;
  return (one_pixel ? 0 : nr) + 1 + flip;
}

bool is_interleaved(const Kernel& kernel) { return kernel.depthwise && kernel.dot != Dot::Fma; }

// Registers that an epilogue takes from the sums: none where they may wait in memory. It has them all then, but those of the
// quad whose results are packed together.
int epilogue_registers(const Contraction& c) {
  return scalar::has_functions(c.epilogue) ? 0 : x86::EpilogueAnalysis(c, nullptr).registers();
}

bool fits_registers(const Kernel& kernel, int mr, int nr, int epilogue, int resident) {
  const int sums = mr * (is_interleaved(kernel) ? 4 : nr);
  return sums + resident + std::max(epilogue, operand_registers(kernel, nr, mr == 1)) <= kernel.registers();
}

double steps_of(const Kernel& kernel, const Contraction& c) {
  const int64_t bytes = kernel.dot == Dot::Fma ? 4 * c.k : c.k;
  return static_cast<double>(static_cast<int64_t>(c.taps.size()) * ((bytes + 3) / 4));
}

// Cycles of one pixel's epilogue: `vector` for each vector, then packs and a store for each quad; three vectors also
// need a shuffle and a masked store.
double epilogue_cycles(int nr, double vector) { return nr * vector + 5 * ((nr + 3) / 4) + (nr % 4 == 3 ? 3 : 0) + 2; }

double epilogue_vector_cycles(const Contraction& c) {
  double computed = 0;
  for (const Instr& i : c.epilogue) {
    const scalar::Row& row = scalar::row_of(i.op);
    computed += row.kind == scalar::Kind::Elementary ? row.cost : row.cost > 0 ? 1 : 0;
  }
  return 1 + 0.6 * computed;
}

// Cycles of one tile: dot instructions and loads each issue one a cycle (measured on Zen 4), four sums hide the
// latency of a dot instruction, weights beyond the first-level cache arrive at 29 bytes a cycle.
double tile_cycles(const Kernel& kernel, double steps, double epilogue, int mr, int nr) {
  const double per_dot = kernel.dot == Dot::Madd ? 2 : kernel.lanes == 8 ? 0.5 : 1;
  const double load = kernel.lanes == 8 ? 0.5 : 1;
  double step = std::max({mr * nr * per_dot, (mr + nr) * load, 4.0});
  const double weight_bytes = nr * kernel.lanes * 4;
  if (steps * weight_bytes > 24 * 1024) step = std::max(step, weight_bytes / 29);
  return steps * step + mr * epilogue_cycles(nr, epilogue) + 20;
}

// A tile of a depthwise row: one FMA with a load a tap, or eight interleaving shuffles and four dot products for four
// taps.
double depthwise_tile_cycles(const Kernel& kernel, double taps, double epilogue, int mr, int nr) {
  const double vector = kernel.lanes == 8 ? 0.5 : 1;
  if (kernel.dot == Dot::Fma) return mr * (nr * taps * vector + epilogue_cycles(nr, epilogue)) + 20;
  return mr * (taps / 4 * (kernel.dot == Dot::Vnni ? 10 : 26) * vector +
               epilogue_cycles(nr, epilogue) * (1 + vector) / 2) +
         20;
}

double pixel_cycles(const Kernel& kernel, double steps, double epilogue, const Tiles& t, int nr) {
  const auto tile = kernel.depthwise ? depthwise_tile_cycles : tile_cycles;
  const double big = static_cast<double>(t.big) * tile(kernel, steps, epilogue, t.mr, nr);
  return big + (t.small ? static_cast<double>(t.small) * tile(kernel, steps, epilogue, t.mr - 1, nr) : 0);
}

}  // namespace

std::span<const Kernel> table() { return kTable; }

int max_mr(const Kernel& kernel, const Contraction& c, int nr) {
  const int epilogue = epilogue_registers(c), resident = resident_weights(kernel, c);
  int mr = is_interleaved(kernel) && kernel.dot == Dot::Vnni && shares_columns(c) ? 2 : kMostPixels;
  while (mr > 0 && !fits_registers(kernel, mr, nr, epilogue, resident)) --mr;
  return mr;
}

int resident_weights(const Kernel& kernel, const Contraction& c) {
  constexpr int kMost = 12;  // 3x3: three vectors of four taps for each of four vectors of channels
  const auto vectors = static_cast<int>((c.taps.size() + 3) / 4 * 4);
  return is_interleaved(kernel) && kernel.dot == Dot::Vnni && kernel.lanes == 16 && vectors <= kMost &&
                 epilogue_registers(c) <= 16
             ? vectors
             : 0;
}

double cost(const Kernel& kernel, const Contraction& c, int nr) {
  const int64_t group = kernel.depthwise ? c.channels : c.channels / c.groups, width = int64_t{nr} * kernel.lanes;
  const double steps = steps_of(kernel, c), epilogue = epilogue_vector_cycles(c);
  auto block = [&](int vectors) {
    return pixel_cycles(kernel, steps, epilogue, balanced_tiles(c.pixels, max_mr(kernel, c, vectors)), vectors);
  };
  double cycles = static_cast<double>(group / width) * (group >= width ? block(nr) : 0);
  if (const int64_t rest = group % width) cycles += block(static_cast<int>((rest + kernel.lanes - 1) / kernel.lanes));
  return cycles * static_cast<double>(kernel.depthwise ? 1 : c.groups);
}

}  // namespace lapis::kernels
