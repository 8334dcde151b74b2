#include "codegen/kernels/units.h"

#include <algorithm>

namespace lapis::kernels {
namespace {

struct BlockAt {
  int64_t weights = 0, params = 0;
  int kind = 0;
  std::vector<int64_t> offsets = {};  // bytes from the first channel of a pixel to where it begins, by column
};

std::vector<int64_t> offsets_of(const Contraction& c, int64_t channel, int64_t group) {
  std::vector<int64_t> offsets(c.grid.columns.size(), 0);
  offsets[0] = (row_of(c).depthwise() ? channel : group * c.group_stride) * bit_width(c.a) / 8;
  offsets[1] = channel * bit_width(c.output.dtype) / 8;
  for (const EpilogueOperand& o : c.operands)
    if (o.kind == EpilogueOperand::Kind::PerElement)
      offsets[static_cast<size_t>(o.column)] = channel * bit_width(o.view.dtype) / 8;
  return offsets;
}

std::vector<BlockAt> blocks_of_batch(const Contraction& c, const Blocking& blocking, int64_t batch) {
  std::vector<BlockAt> blocks;
  BlockAt at{batch * blocking.all_weight_bytes(c),
             c.computed && c.computed->starts ? batch * blocking.all_param_bytes(c) : 0};
  const int64_t weights = at.weights;
  for (int64_t g = 0; g < blocking.groups_of(c); ++g)
    for (int64_t b = 0; b < blocking.blocks(); ++b) {
      at.kind = blocking.kind_of(b);
      at.offsets = offsets_of(c, g * blocking.per_group + blocking.first_channel(b), g);
      at.weights = weights + g * blocking.group_weight_bytes() + blocking.weight_offset(b);
      blocks.push_back(at);
      at.params += blocking.param_bytes(blocking.block(b));
    }
  return blocks;
}

class UnitMaker {
 public:
  UnitMaker(const Contraction& c, const Blocking& blocking)
      : c_(c), blocking_(blocking), slabs_(c), runs_((c.schedule.splits + slabs_.of_batch() - 1) / slabs_.of_batch()) {}

  std::vector<int32_t> make() {
    for (int64_t batch = 0; batch < c_.batches(); ++batch) {
      const std::vector<BlockAt> blocks = blocks_of_batch(c_, blocking_, batch);
      const int64_t first = batch * slabs_.of_batch() * runs_, end = first + slabs_.of_batch() * runs_;
      if (c_.schedule.order == Schedule::Order::Weights) {
        for (const BlockAt& at : blocks)
          for (int64_t run = first; run < end; ++run) add(at, run);
      } else {
        for (int64_t run = first; run < end; ++run)
          for (const BlockAt& at : blocks) add(at, run);
      }
    }
    return std::move(words_);
  }

 private:
  // Runs are numbered through all slabs of all batches.
  void add(const BlockAt& at, int64_t run) {
    const int64_t slab = run / runs_, part = run % runs_;
    const Tiles tiles = tiles_of(slabs_.pixels_of(slab), blocking_.kinds[static_cast<size_t>(at.kind)].mr);
    const int64_t from = tiles.count() * part / runs_, to = tiles.count() * (part + 1) / runs_;
    if (from == to) return;
    const int64_t big = std::clamp<int64_t>(tiles.big - from, 0, to - from);
    for (const int64_t word : {at.weights, at.params, tiles.first_pixel(from) * blocking_.columns * 4, big,
                               to - from - big, int64_t{at.kind}})
      words_.push_back(static_cast<int32_t>(word));
    for (size_t column = 0; column < at.offsets.size(); ++column)
      words_.push_back(static_cast<int32_t>(slabs_.base(column, slab) + at.offsets[column]));
  }

  const Contraction& c_;
  const Blocking& blocking_;
  const Slabs slabs_;
  const int64_t runs_;  // of a slab
  std::vector<int32_t> words_;
};

}  // namespace

int64_t bytes_to_last_channel(const Contraction& c, size_t column) {
  if (column == 0) return c.group_stride * (c.groups - 1) * bit_width(c.a) / 8;
  if (column == 1) return (c.channels - 1) * bit_width(c.output.dtype) / 8;
  const auto operand = std::ranges::find(c.operands, static_cast<int>(column), &EpilogueOperand::column);
  const bool channels = operand != c.operands.end() && operand->kind == EpilogueOperand::Kind::PerElement;
  return channels ? (c.channels - 1) * bit_width(operand->view.dtype) / 8 : 0;
}

std::vector<int32_t> unit_table(const Contraction& c, const Blocking& blocking) {
  return UnitMaker(c, blocking).make();
}

}  // namespace lapis::kernels
