// What a kernel costs, of the facts of its row: tiles of all blocks over all pixels,
// remainders counted as what they are.
#include "codegen/kernels/blocking.h"
#include "codegen/kernels/table.h"
#include "codegen/scalar/ops.h"

namespace lapis::kernels {
namespace {

// Times that a tile multiplies: four bytes of every pixel, 64 in matrix tiles.
double steps_of(const Kernel& kernel, const Contraction& c) {
  const int64_t bytes = c.k * bit_width(kernel.b) / 8, at_once = kernel.in_tiles() ? 64 : 4;
  const int64_t of_tap = (bytes + at_once - 1) / at_once;
  return static_cast<double>(static_cast<int64_t>(c.taps.size()) * of_tap);
}

double epilogue_vector_cycles(const Contraction& c) {
  double computed = 0;
  for (const Instr& i : c.epilogue) {
    const scalar::Row& row = scalar::row_of(i.op);
    computed += row.kind == scalar::Kind::Elementary ? row.cost : row.cost > 0 ? 1 : 0;
  }
  return 1 + 0.6 * computed;
}

double pixel_cycles(const Kernel& kernel, double steps, double epilogue, const Tiles& t, int nr) {
  const auto tile = kernel.structure.tile_cycles;
  const double big = static_cast<double>(t.big) * tile(kernel, steps, epilogue, t.mr, nr);
  return big + (t.small ? static_cast<double>(t.small) * tile(kernel, steps, epilogue, t.mr - 1, nr) : 0);
}

}  // namespace

double cost(const Kernel& kernel, const Contraction& c, int nr) {
  const int64_t group = kernel.depthwise() ? c.channels : c.channels / c.groups, width = int64_t{nr} * kernel.lanes;
  const int64_t whole_blocks = group / width;
  const double steps = steps_of(kernel, c), epilogue = epilogue_vector_cycles(c);
  auto block = [&](int vectors) {
    return pixel_cycles(kernel, steps, epilogue, balanced_tiles(pixels_of_batch(c), max_mr(kernel, c, vectors)),
                        vectors);
  };
  double cycles = whole_blocks > 0 ? static_cast<double>(whole_blocks) * block(nr) : 0;
  if (const int64_t rest = group % width) cycles += block(static_cast<int>((rest + kernel.lanes - 1) / kernel.lanes));
  return cycles * static_cast<double>(c.batches() * (kernel.depthwise() ? 1 : c.groups));
}

}  // namespace lapis::kernels
