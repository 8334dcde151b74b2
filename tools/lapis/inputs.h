// Pseudo-random inputs that mean something for every type: for bench, explain and verify where none are given.
#pragma once

#include "base/result.h"
#include "ir/graph.h"
#include "runtime/program.h"

namespace lapis::cli {

// Floats of every width lie in [-1, 1), 8-bit and packed integers use all their values, booleans both. What wider
// integers may be, `graph` tells: indices stay inside of the table they index, numbers are small ones and now and then
// any bits; where they become floats (masks), and without a graph, they are 0 or 1. The same seed gives the same
// values. Fails for strings, which have no random value.
Result<std::vector<Tensor>> random_inputs(const std::vector<IoInfo>& inputs, uint64_t seed = 1,
                                          const Graph* graph = nullptr);

}  // namespace lapis::cli
