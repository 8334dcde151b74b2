// Work units: how a contraction is cut for threads and in which order blocks and pixels are walked.
#pragma once

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// What a work unit is to the generated function: a row of the unit table, which are 32-bit words in this order.
struct Unit {
  int32_t weights = 0, params = 0;  // byte offsets of the block's image
  int32_t table = 0;                // byte offset of the first pixel's row of the table
  int32_t big = 0, small = 0;       // tiles
  int32_t kind = 0;                 // index into Blocking::kinds
  // For each column: bytes from the start of its buffer to what the entries of the table count from, group and channel included.
  std::vector<int32_t> addresses;
};
namespace unit_word {
enum : int { kWeights, kParams, kTable, kBig, kSmall, kKind, kAddresses };
}
inline int64_t words_of_unit(const Blocking& blocking) { return unit_word::kAddresses + blocking.columns; }

// Bytes from where a pixel of a column begins to where its last channel does: what blocks add to its address, at most.
int64_t bytes_to_last_channel(const Contraction& c, size_t column);

// Units in execution order, as c.schedule says: blocks outside and runs of pixels inside, or the other way round. A run lies in one slab.
std::vector<Unit> make_units(const Contraction& c, const Blocking& blocking);
// The unit table.
std::vector<int32_t> words_of(const std::vector<Unit>& units);

}  // namespace lapis::kernels
