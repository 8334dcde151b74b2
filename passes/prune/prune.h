// Pruning without training: weights become 0 as the `sparsity` of a recipe says,
// or channels leave the model (docs/pruning.md).
//
//   Recipe recipe;
//   recipe.defaults.sparsity = {.ratio = 0.5, .pattern = *sparsity_pattern_from_name("2:4"), .compensate = true};
//   LAPIS_TRY(PruneReport report, prune(graph, {.recipe = recipe}, evaluator, samples));
//   report.sparsity();   // 0.49
//
// `quantize` does the same first, so that a recipe with both is one run. As a pass, `prune{samples=100}` takes recipe,
// evaluator and samples from the PassContext.
#pragma once

#include "passes/pass.h"
#include "passes/quantize/damage.h"
#include "passes/quantize/recipe.h"

namespace lapis {

// What happened to the weights of a node, or why nothing did.
struct PrunedWeights {
  std::string node, op;
  int64_t before = 0;    // weights there were
  int64_t elements = 0;  // that are left
  int64_t zeros = 0;     // of those
  std::string pattern;   // that was asked for; "": none
  std::string note;      // "64 of 128 channels", "left whole: ..."
};

struct PruneReport {
  std::vector<PrunedWeights> weights;  // of every Conv, Gemm and MatMul with constant weights, in order
  std::optional<Damage> damage;        // against the model before; none: not measured
  double sparsity() const;             // the share of zeros and of what has left
};

struct PruneOptions {
  Recipe recipe = {};
  Target target = Target::host();
  int64_t samples = 100;       // for what compensates, at most
  int64_t damage_samples = 0;  // to measure the damage on, at most; 0: it is not
};

// `evaluator` may be null, and `source` empty, if nothing compensates. Fails on a recipe that does not fit the model,
// and if it compensates without samples. What cannot be pruned as the recipe says is left whole, and the report says
// why.
Result<PruneReport> prune(Graph& graph, const PruneOptions& options, Evaluator* evaluator = nullptr,
                          const SampleSource& source = {});

Pipeline prune_passes();

}  // namespace lapis
