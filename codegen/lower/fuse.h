// Fusion: which nodes are computed in one region. A region has an anchor (the operator that shapes its loops), a chain
// of elementwise nodes behind it, and elementwise producers that are computed in place wherever they are needed
// ("inlined"). What kernels would have to read or write in another order than it is placed in is not fused into them.
#pragma once

#include <optional>
#include <unordered_set>

#include "codegen/lower/apart.h"
#include "codegen/lower/placement.h"
#include "ir/ops/attributes.h"

namespace lapis::codegen {

struct FusedRegion {
  const Node* anchor;
  const Form* form;
  std::vector<const Node*> chain;   // elementwise nodes behind the anchor, in order
  std::optional<Apart> apart = {};  // of an elementwise anchor: why it is not in the region of what it reads
  const Node* last() const { return chain.empty() ? anchor : chain.back(); }
  const Value* result() const { return last()->output(); }
};

using Regions = std::vector<FusedRegion>;  // in execution order: by the position of their last node

// What a contraction adds to its sums, or null; and whether sums can start from it:
// a constant of one value for each channel.
const Value* addend_of(const Node& contraction);
bool is_bias(const Node& contraction);
// alpha, beta and transpositions of a Gemm; those that change nothing for other products.
ops::GemmAttrs factors_of(const Node& product);

// A constant with one value for each channel when broadcast to `shape`, whose channels are `axis`. Judged by its
// dimensions, never by how many elements it has: [M,1] and [1,N] are different things where M == N.
bool is_per_channel(const Shape& constant, const Shape& shape, int64_t axis);

// Values that no region stores are dropped from the placements. Anchors in `alone` keep their region to themselves;
// without `enabled` every node does.
Regions fuse(const Graph& graph, const NodeForms& forms, Placements& placements, bool enabled,
             const std::unordered_set<const Node*>& alone = {});

}  // namespace lapis::codegen
