#include "codegen/kernels/units.h"

#include <algorithm>

namespace lapis::kernels {
namespace {

struct BlockAt {
  int64_t weights = 0, params = 0, input = 0, channel = 0;
  int kind = 0;
};

std::vector<BlockAt> blocks_of_batch(const Contraction& c, const Blocking& blocking, int64_t batch) {
  std::vector<BlockAt> blocks;
  BlockAt at{batch * blocking.all_weight_bytes(c),
             c.computed && c.computed->starts ? batch * blocking.all_param_bytes(c) : 0};
  const int64_t element = bit_width(c.a) / 8;
  for (int64_t g = 0; g < c.channels / blocking.per_group; ++g) {
    at.input = g * c.group_stride * element;
    for (int64_t b = 0; b < blocking.blocks(); ++b) {
      at.kind = blocking.kind_of(b);
      if (row_of(c).depthwise()) at.input = at.channel * element;
      blocks.push_back(at);
      at.weights += blocking.weight_bytes(blocking.block(b));
      at.params += blocking.param_bytes(blocking.block(b));
      at.channel += blocking.block(b).channels;
    }
  }
  return blocks;
}

// Tiles [from, to) of a block, as a unit. `pixel`: the first of the batch.
Unit unit_of(const BlockAt& at, const Tiles& tiles, int64_t from, int64_t to, int64_t pixel, int64_t columns) {
  Unit u;
  u.weights = static_cast<int32_t>(at.weights);
  u.params = static_cast<int32_t>(at.params);
  u.input = static_cast<int32_t>(at.input);
  u.channel = static_cast<int32_t>(at.channel);
  u.table = static_cast<int32_t>((pixel + tiles.first_pixel(from)) * columns * 4);
  u.big = static_cast<int32_t>(std::clamp<int64_t>(tiles.big - from, 0, to - from));
  u.small = static_cast<int32_t>(to - from) - u.big;
  u.kind = at.kind;
  return u;
}

}  // namespace

std::vector<Unit> make_units(const Contraction& c, const Blocking& blocking) {
  const int64_t runs = c.schedule.splits, pixels = pixels_of_batch(c);
  std::vector<Unit> units;
  auto add = [&](const BlockAt& at, int64_t batch, int64_t run) {
    const Tiles tiles = balanced_tiles(pixels, blocking.kinds[static_cast<size_t>(at.kind)].mr);
    const int64_t from = tiles.count() * run / runs, to = tiles.count() * (run + 1) / runs;
    if (from < to) units.push_back(unit_of(at, tiles, from, to, batch * pixels, blocking.columns));
  };
  for (int64_t batch = 0; batch < c.batches(); ++batch) {
    const std::vector<BlockAt> blocks = blocks_of_batch(c, blocking, batch);
    if (c.schedule.order == Schedule::Order::Weights) {
      for (const BlockAt& at : blocks)
        for (int64_t run = 0; run < runs; ++run) add(at, batch, run);
    } else {
      for (int64_t run = 0; run < runs; ++run)
        for (const BlockAt& at : blocks) add(at, batch, run);
    }
  }
  return units;
}

}  // namespace lapis::kernels
