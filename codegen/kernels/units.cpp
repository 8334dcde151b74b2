#include "codegen/kernels/units.h"

#include <algorithm>

namespace lapis::kernels {
namespace {

constexpr double kLeastUnitCycles = 6000;     // about 2 us, so that starting a unit costs nothing
constexpr int64_t kEnoughUnits = 256;         // four for each of 64 threads
constexpr int64_t kInputRunBytes = 96 << 10;  // input of a run of pixels that stays near while all blocks pass over it

struct BlockAt {
  int64_t weights = 0, params = 0, input = 0, channel = 0;
  int kind = 0;
};

std::vector<BlockAt> all_blocks(const Contraction& c, const Blocking& blocking) {
  std::vector<BlockAt> blocks;
  BlockAt at;
  const int64_t element = bit_width(c.a) / 8;
  for (int64_t g = 0; g < c.channels / blocking.per_group; ++g) {
    at.input = g * c.group_stride * element;
    for (int64_t b = 0; b < blocking.blocks(); ++b) {
      at.kind = blocking.kind_of(b);
      if (row_of(c).depthwise) at.input = at.channel * element;
      blocks.push_back(at);
      at.weights += blocking.weight_bytes(blocking.block(b));
      at.params += blocking.param_bytes(blocking.block(b));
      at.channel += blocking.block(b).channels;
    }
  }
  return blocks;
}

// Tiles [from, to) of a block, as a unit.
Unit unit_of(const BlockAt& at, const Tiles& tiles, int64_t from, int64_t to, int64_t columns) {
  Unit u;
  u.weights = static_cast<int32_t>(at.weights);
  u.params = static_cast<int32_t>(at.params);
  u.input = static_cast<int32_t>(at.input);
  u.channel = static_cast<int32_t>(at.channel);
  u.table = static_cast<int32_t>(tiles.first_pixel(from) * columns * 4);
  u.big = static_cast<int32_t>(std::clamp<int64_t>(tiles.big - from, 0, to - from));
  u.small = static_cast<int32_t>(to - from) - u.big;
  u.kind = at.kind;
  return u;
}

bool weights_dominate(const Contraction& c, int64_t blocks) {
  const int64_t input = c.pixels * c.k * c.groups;
  return blocks == 1 || c.weights.size() > input;
}

// Runs of pixels that every block is cut into.
int64_t pixel_runs(const Contraction& c, const Blocking& blocking, int64_t blocks, bool weights_outside) {
  const auto worth = static_cast<int64_t>(cost(row_of(c), c, c.nr) / kLeastUnitCycles / static_cast<double>(blocks));
  int64_t runs = std::min((kEnoughUnits + blocks - 1) / blocks, worth);
  if (!weights_outside) {
    const int64_t input = c.pixels * c.k * c.groups * bit_width(c.a) / 8;
    runs = std::max(runs, std::min(worth, input / kInputRunBytes));
  }
  const int64_t tiles = (c.pixels + blocking.kinds[0].mr - 1) / blocking.kinds[0].mr;
  return std::clamp<int64_t>(runs, 1, tiles);
}

}  // namespace

std::vector<Unit> make_units(const Contraction& c, const Blocking& blocking) {
  const std::vector<BlockAt> blocks = all_blocks(c, blocking);
  const auto count = static_cast<int64_t>(blocks.size());
  const bool weights_outside = weights_dominate(c, count);
  const int64_t runs = pixel_runs(c, blocking, count, weights_outside);
  std::vector<Unit> units;
  auto add = [&](const BlockAt& at, int64_t run) {
    const Tiles tiles = balanced_tiles(c.pixels, blocking.kinds[static_cast<size_t>(at.kind)].mr);
    const int64_t from = tiles.count() * run / runs, to = tiles.count() * (run + 1) / runs;
    if (from < to) units.push_back(unit_of(at, tiles, from, to, blocking.columns));
  };
  if (weights_outside) {
    for (const BlockAt& at : blocks)
      for (int64_t run = 0; run < runs; ++run) add(at, run);
  } else {
    for (int64_t run = 0; run < runs; ++run)
      for (const BlockAt& at : blocks) add(at, run);
  }
  return units;
}

}  // namespace lapis::kernels
