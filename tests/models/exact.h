// Bytes of int8 code of whole models: the reference's, on every machine, with any number of threads,
// by every path to the code.
#pragma once

#include <memory>
#include <vector>

#include "base/tensor.h"
#include "ir/graph.h"

namespace lapis::testing {

// A model after the compile pipeline, without what adds floats in an order of its own (sums of products, reductions)
// and what is only near to its true value (Exp, Erf). Results of those are inputs now and their operands outputs, so
// that all that is left has one right result to the last bit.
std::unique_ptr<Graph> exact_part(const Graph& prepared);

// Compiled for every level that this host can run, and for AMX, emulated if need be; on 1 to 3 threads; from memory,
// from an artifact, as an object file: all give the bytes of the reference evaluator.
void expect_reference_bytes(const Graph& graph, const std::vector<std::vector<Tensor>>& runs);

}  // namespace lapis::testing
