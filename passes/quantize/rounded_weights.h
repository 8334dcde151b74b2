// The integers of a model's weights, where they are not simply the nearest: by what the samples say (GPTQ, AdaRound),
// or with their mean and deviation restored (`correct_weights`).
#pragma once

#include "passes/quantize/place.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/rounding.h"
#include "passes/samples.h"

namespace lapis {

// A weight as [outputs][inputs], whatever it is stored as.
std::vector<double> rows_of(const ContractionRole& role);
IntegerTensors tensors_of(const ContractionRole& role, const Scheme& scheme, const RoundedWeights& rounded);

// Whether its recipe needs samples to round the weights of a node.
bool rounds_by_data(const NodeRecipe& recipe);

// Of every planned node whose recipe asks for more than rounding to the nearest.
// Without evaluator only what needs no samples.
Result<RoundedOf> round_by_recipe(const Graph& graph, const Placement& placement, Evaluator* evaluator,
                                  const SampleSource& source, int64_t samples);

}  // namespace lapis
