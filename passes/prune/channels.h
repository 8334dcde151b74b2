// Pruning of whole channels: the model becomes smaller,
// and what computes them faster (channel_map.h says which leave together).
#pragma once

#include "passes/prune/prune.h"

namespace lapis {

// What was done to contractions whose recipe asks for it, by node.
using ChannelNotes = std::unordered_map<const Node*, std::string>;

// Of the channels that only such contractions compute, those of least worth leave: a channel is worth the mean square
// of its weights, relative to that of all channels of the same contraction, on average over those that compute it.
// Contractions that read them and compensate are adjusted.
Result<ChannelNotes> prune_channels(Graph& graph, const NodeRecipes& recipes, Evaluator* evaluator,
                                    const SampleSource& source, int64_t samples);

}  // namespace lapis
