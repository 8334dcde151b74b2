// Blocking: how channels and pixels are cut into tiles, and where the packed image of a contraction has what. A pure
// function of the scheduled Contraction, so packing and emitting cannot disagree.
//
// Channels of a group are cut into blocks of nr vectors; the last block of a group may be narrower. Pixels are cut
// into tiles of mr and mr - 1 pixels, as even as possible: 49 pixels are 4 tiles of 6 and 5 of 5, never 8 of 6 and one
// of 1.
//
// Image of a block:   weights     [tap][step][nr][lane] four bytes each
//                     of depthwise rows the taps take the place of the steps' bytes: [step of four taps][4][lane]
//                     parameters  [bias, per-channel operand 0, 1, ...][nr][lane] 32-bit each, integers widened
// Weights that are computed are brought into this order by loops (codegen/lower/computed_weights.cpp), so channels keep theirs.
#pragma once

#include <algorithm>

#include "codegen/kernels/slabs.h"
#include "codegen/kernels/table.h"

namespace lapis::kernels {

struct Block {
  int nr = 0;            // vectors
  int64_t channels = 0;  // <= nr * lanes
  int mr = 0;            // pixels of the larger tile
};

// True if the taps are rows of three neighbouring columns and pixels come in pairs that are one column apart: a 3x3
// window of stride 1 on rows of even width. The four columns of a pair then serve both pixels, with weights (w0 w1 w2
// 0) and (0 w0 w1 w2).
bool shares_columns(const Contraction& c);

class Blocking {
 public:
  explicit Blocking(const Contraction& c) : Blocking(c, c.schedule) {}
  Blocking(const Contraction& c, const Schedule& schedule);

  int lanes;
  int quad;                  // vectors whose results are packed together: 4 where only bytes move, else 1
  int64_t per_group;         // channels of a group
  int64_t full;              // blocks of kinds[0] in a group
  std::vector<Block> kinds;  // [0] full, [1] the rest; a group smaller than a block has one kind
  int64_t steps;             // groups of four bytes in a tap
  int64_t taps;
  int64_t columns;  // of the table of pixels
  bool
      interleaved;  // bytes of four vectors of channels are interleaved tap by tap (depthwise): always four vectors in quad order
  bool paired;  // pixels 2i and 2i + 1 share the interleaved columns of a row of taps (see shares_columns)
  bool words;   // those weights are int16 pairs: taps 0 and 2 of every lane, then 1 and 3
  int params;   // rows of parameters: bias and per-channel operands

  int64_t blocks() const { return full + (has_rest_ ? 1 : 0); }  // of a group
  int64_t all_blocks(const Contraction& c) const { return blocks() * (c.channels / per_group); }
  // Of all blocks of all groups; computed weights have as much for each batch.
  int64_t all_weight_bytes(const Contraction& c) const;
  int64_t all_param_bytes(const Contraction& c) const;
  int kind_of(int64_t block) const { return block < full ? 0 : static_cast<int>(kinds.size()) - 1; }
  const Block& block(int64_t index) const { return kinds[static_cast<size_t>(kind_of(index))]; }
  int weight_vectors(const Block& b) const { return interleaved ? 4 : b.nr; }
  int64_t weight_bytes(const Block& b) const { return taps * steps * weight_vectors(b) * lanes * (words ? 8 : 4); }
  int64_t param_bytes(const Block& b) const { return int64_t{params} * b.nr * lanes * 4; }
  // Vectors that are packed together with vector `v`, and the first of them.
  int quad_first(int v) const { return v / quad * quad; }
  int quad_width(const Block& b, int v) const { return std::min(quad, b.nr - quad_first(v)); }
  // Channel of the block in lane `lane` of vector `v`. Within a quad the order is the one in which vpackssdw and
  // vpackuswb, which work in 128-bit lanes, bring bytes back to memory order.
  int64_t channel(const Block& b, int v, int lane) const;
  int64_t weight_channel(const Block& b, int v, int lane) const;

 private:
  bool has_rest_;
};

}  // namespace lapis::kernels
