// Lowering: a Graph with static shapes becomes a Plan. Decides in which form each node is computed, where values lie
// (placement.h), which nodes share a region, and the scalar program of each region; then kernels are chosen and packed
// and memory is planned.
#pragma once

#include "base/result.h"
#include "codegen/kernels/weight_cache.h"
#include "codegen/schedules.h"
#include "ir/graph.h"

namespace lapis::codegen {

struct LowerOptions {
  Target target;
  bool fuse = true;  // off: one region a node, to bisect a wrong result
  // Of the same model for another machine: the constants begin with its constants, and what both need is there once.
  const Plan* beside = nullptr;
  // Of contractions by name, instead of what the cost model chooses; one that does not fit is an error.
  Schedules schedules = {};
  // Where weights that are packed already come from, and the hashes of tensors that outlive this; may be null.
  kernels::WeightCache* weights = nullptr;
  const kernels::TensorHashes* hashes = nullptr;
  bool host_calls = false;  // nodes without code are evaluated by the reference, in this process only
};

// All nodes that cannot be lowered are reported at once: one diagnostic an operator, with count, names and reason.
Result<Plan> lower(const Graph& graph, const LowerOptions& options);

}  // namespace lapis::codegen
