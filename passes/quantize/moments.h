// Second moments of what contractions read: all that rounding by data needs to know, in memory that does not grow with the samples.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "passes/quantize/place.h"
#include "passes/quantize/rounding.h"
#include "passes/samples.h"

namespace lapis {

// The moments of each group of a contraction: of a convolution those of the patches under its kernel, [channels / group * kernel] values each.
using GroupMoments = std::vector<Moments>;

// For every node (a Conv, Gemm or MatMul with a role) calls `use` with its moments over the samples. Nodes of one shape that read one value are measured
// once. As many at a time as fit into a quarter of a gigabyte (one at least), so that the samples may be run several times.
Status for_each_moments(const Graph& graph, std::span<Node* const> nodes, Evaluator& evaluator,
                        const SampleSource& source, int64_t samples,
                        const std::function<Status(Node&, const GroupMoments&)>& use);

}  // namespace lapis
