// Sums of products of what contractions read, measured on samples: the second derivatives of the squared error of their results by
// their weights, which say how weights that stay can make good what others lose (compensate.h).
//
// For a Conv, the inputs are those under its window at every position (im2col), each group by itself. A row of ones is among them where
// the node has a bias or can take one, so that the bias makes good what the mean loses.
#pragma once

#include <unordered_map>

#include "passes/prune/weights.h"
#include "passes/quantize/rounding.h"
#include "passes/samples.h"

namespace lapis {

struct InputMoments {
  int64_t size = 0;             // inputs of one output, in the order of WeightMatrix, then 1 for the bias
  bool bias = false;            // whether that 1 is there
  std::vector<Moments> groups;  // [size][size] each
};
using InputMomentsOf = std::unordered_map<const Node*, InputMoments>;

// Why there are none for a node, or nullopt.
std::optional<std::string> has_no_moments(const Node& node);

// Of nodes of `graph` that have moments, over at most so many samples, which are run again for every 256 MB of sums.
Result<InputMomentsOf> measure_input_moments(const Graph& graph, const std::vector<WeightMatrix>& matrices,
                                             Evaluator& evaluator, const SampleSource& source, int64_t samples);

}  // namespace lapis
