// Fusion: which nodes are computed in one region. A region has an anchor (the operator that shapes its loops), a chain of elementwise
// nodes behind it, and elementwise producers that are computed in place wherever they are needed ("inlined").
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "base/result.h"
#include "codegen/lower/op_lowering.h"
#include "ir/ops/attributes.h"

namespace lapis::codegen {

struct FusedRegion {
  const Node* anchor;
  const Form* form;
  std::vector<const Node*> chain;  // elementwise nodes behind the anchor, in order
  const Node* last() const { return chain.empty() ? anchor : chain.back(); }
  const Value* result() const { return last()->output(); }
};

struct Fusion {
  std::vector<FusedRegion> regions;  // in execution order: by the position of their last node
  std::unordered_set<const Node*> inlined;
};

// The axis of a contraction's output that the kernel keeps contiguous: 1 for convolutions, the last one for matrix products.
int64_t channel_axis(const Node& contraction);

// What a contraction adds to its sums, or null; and whether sums can start from it: a constant of one value for each channel.
const Value* addend_of(const Node& contraction);
bool is_bias(const Node& contraction);
// alpha, beta and transpositions of a Gemm; those that change nothing for other products.
ops::GemmAttrs factors_of(const Node& product);

// A constant with one value for each channel when broadcast to `shape`, whose channels are `axis`. Judged by its dimensions, never by
// how many elements it has: [M,1] and [1,N] are different things where M == N.
bool is_per_channel(const Shape& constant, const Shape& shape, int64_t axis);

struct FuseOptions {
  bool enabled = true;      // off: one region a node
  bool host_calls = false;  // what has no code is called in the reference evaluator
};

// Anchors in `alone` keep their region to themselves.
Result<Fusion> fuse(const Graph& graph, const FuseOptions& options, const std::unordered_set<const Node*>& alone = {});

}  // namespace lapis::codegen
