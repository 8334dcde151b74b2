// Work units: how a contraction is cut for threads and in which order blocks and pixels are walked.
#pragma once

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// What a work unit is to the generated function: a row of the unit table, which are 32-bit words in this order.
namespace unit_word {
enum : int {
  kWeights,  // byte offset of the block's image
  kParams,
  kTable,  // byte offset of the first pixel's row of the table
  kBig,    // tiles
  kSmall,
  kKind,       // index into Blocking::kinds
  kAddresses,  // for each column, group and channel included: bytes from the start of its buffer to what the table
               // counts from
};
}
inline int64_t words_of_unit(const Blocking& blocking) { return unit_word::kAddresses + blocking.columns; }

// Bytes from where a pixel of a column begins to where its last channel does: what blocks add to its address, at most.
int64_t bytes_to_last_channel(const Contraction& c, size_t column);

// The unit table. Units are in execution order, as c.schedule says: blocks outside and runs of pixels inside, or the
// other way round. A run lies in one slab.
std::vector<int32_t> unit_table(const Contraction& c, const Blocking& blocking);

}  // namespace lapis::kernels
