// The Q/DQ pairs of a quantized model, as its readers see them.
#pragma once

#include "ir/graph.h"

namespace lapis {

// The dequantized value of the pair that stores `v` for all that read it; null if there is none.
const Value* behind_pair(const Value* v);

// What readers of `v` see: the dequantized value of its pair, or itself.
const Value* as_read(const Value* v);

}  // namespace lapis
