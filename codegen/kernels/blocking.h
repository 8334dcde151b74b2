// Blocking: how channels and pixels are cut into tiles, and where the packed image of a contraction has what. A pure
// function of the scheduled Contraction, so packing and emitting cannot disagree.
//
// Weights of a group are panels of 64 channels, the last one narrower in steps of 16:
//
//   [panel][tap][step][channel] four bytes each
//
// That is the order of every dense row, whatever its vectors, its tile and its instruction: targets share their
// weights. A block is nr vectors of channels of a panel, which a tile walks with the panel's pitch; the last block of a
// group may be narrower. Depthwise rows have orders of their own, block by block: bytes [step of four taps][4][lane],
// floats [tap][nr][lane].
//
// Weights that are computed are brought into this order by loops (codegen/lower/computed_weights.cpp).
//
// Parameters are small, and of a row and its tile:
//   [block][bias, per-channel operand 0, 1, ...][nr][lane] 32-bit each, integers widened
//
// Pixels are cut into tiles of mr and mr - 1 pixels, as even as possible: 49 pixels are 4 tiles of 6 and 5 of 5, never
// 8 of 6 and one of 1.
#pragma once

#include <algorithm>

#include "codegen/kernels/slabs.h"
#include "codegen/kernels/table.h"

namespace lapis::kernels {

struct Block {
  int nr = 0;            // vectors
  int64_t channels = 0;  // <= nr * lanes
  int mr = 0;            // pixels of the larger tile
  int pitch = 0;         // bytes from the weights of one step to those of the next
};

constexpr int64_t kPanel = 64;      // channels
constexpr int64_t kPanelStep = 16;  // ... of which a narrower one has a multiple
constexpr int kMostKinds = 3;       // of blocks in a contraction

// True if blocks of `nr` vectors divide the panels of a group with `per_group` channels.
bool divides_panels(const Kernel& kernel, int64_t per_group, int nr);

// True if the taps are rows of three neighbouring columns and pixels come in pairs that are one column apart: a 3x3
// window of stride 1 on rows of even width. The four columns of a pair then serve both pixels, with weights (w0 w1 w2
// 0) and (0 w0 w1 w2).
bool shares_columns(const Contraction& c);

// True if the inputs of the pixels of every tile lie at equal distances.
// `mr`: of the larger tiles, or of the smaller ones.
bool pixels_in_runs(const Contraction& c, int mr);

class Blocking {
 public:
  explicit Blocking(const Contraction& c) : Blocking(c, c.schedule) {}
  Blocking(const Contraction& c, const Schedule& schedule);

  int lanes;
  int quad;                  // vectors whose results are packed together: 4 where only bytes move, else 1
  int64_t per_group;         // channels of a group
  std::vector<Block> kinds;  // up to kMostKinds: blocks of whole panels, whole blocks of the last panel, its remainder
  int64_t steps;             // groups of four bytes in a tap
  bool half;                 // the last of which has one bfloat16
  int64_t taps;
  int64_t columns;   // of the table of pixels
  bool interleaved;  // bytes of four vectors of channels are interleaved tap by tap (depthwise): always four vectors
  bool paired;       // pixels 2i and 2i + 1 share the interleaved columns of a row of taps (see shares_columns)
  bool words;        // those weights are int16 pairs: taps 0 and 2 of every lane, then 1 and 3
  int params;        // rows of parameters: bias and per-channel operands

  int64_t blocks() const { return ends_.back(); }  // of a group
  int64_t all_blocks(const Contraction& c) const { return blocks() * groups_of(c); }
  int64_t blocks_of_kind(size_t kind) const { return ends_[kind] - (kind == 0 ? 0 : ends_[kind - 1]); }
  int kind_of(int64_t block) const;
  const Block& block(int64_t index) const { return kinds[static_cast<size_t>(kind_of(index))]; }
  int64_t first_channel(int64_t block) const { return block * width_; }  // of the group
  // Of a block's first vector and first step, from the group's weights.
  int64_t weight_offset(int64_t block) const;
  int64_t panel_bytes(int64_t channels) const { return taps * steps * pitch_of(channels); }
  int64_t group_weight_bytes() const;
  // Of all groups; computed weights have as much for each batch.
  int64_t all_weight_bytes(const Contraction& c) const { return group_weight_bytes() * groups_of(c); }
  int64_t all_param_bytes(const Contraction& c) const;
  int64_t groups_of(const Contraction& c) const { return c.channels / per_group; }
  int pitch_of(int64_t channels) const;  // of a panel with so many
  int64_t param_bytes(const Block& b) const { return int64_t{params} * b.nr * lanes * 4; }
  // Vectors that are packed together with vector `v`, and the first of them.
  int quad_first(int v) const { return v / quad * quad; }
  int quad_width(const Block& b, int v) const { return std::min(quad, b.nr - quad_first(v)); }
  int weight_vectors(const Block& b) const { return interleaved ? 4 : b.nr; }
  // True if sums come in the order that vpackssdw and vpackuswb, which work in 128-bit lanes, bring back to that of
  // memory. That of interleaved bytes is such an order.
  bool in_pack_order() const { return interleaved && quad == 4; }
  // Channel of the block in lane `lane` of vector `v` of its sums, of its weights.
  int64_t channel(int v, int lane) const { return in_pack_order() ? interleaved_channel(v, lane) : v * lanes + lane; }
  int64_t weight_channel(int v, int lane) const {
    return interleaved ? interleaved_channel(v, lane) : v * lanes + lane;
  }

 private:
  static int64_t interleaved_channel(int v, int lane) { return 16 * (lane / 4) + 4 * v + lane % 4; }
  void cut(const Contraction& c, const Schedule& schedule, const Kernel& kernel);
  void add_kind(const Block& block, int64_t count);

  bool dense_;
  int64_t width_, panel_;      // channels of a whole block, of a whole panel
  std::vector<int64_t> ends_;  // of each kind: the blocks up to its last
};

}  // namespace lapis::kernels
