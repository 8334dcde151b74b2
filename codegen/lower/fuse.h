// Fusion: which nodes are computed in one region. A region has an anchor (the operator that shapes its loops), a chain of elementwise
// nodes behind it, and elementwise producers that are computed in place wherever they are needed ("inlined").
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "base/result.h"
#include "ir/graph.h"

namespace lapis::codegen {

enum class Lowered : uint8_t {
  Contraction,  // xbyak kernel: Conv, Gemm, MatMul with constant weights, and their integer forms
  Loop,         // LLVM loop with its own shape: reductions, softmax, normalization, pools, dynamic MatMul, Gather
  Scalar,       // LLVM loop over the output, elementwise
  View,         // no code: Transpose, Slice, Reshape, ...
  Movement,     // copies: Concat, Pad, Tile, ...
};

// How a node is lowered, or why it cannot be.
Result<Lowered> lowered_as(const Node& node);

struct FusedRegion {
  const Node* anchor;
  Lowered kind;
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

// What a Conv, QLinearConv or Gemm adds to its sums, or null; and whether sums can start from it: a constant of one value for each channel.
const Value* addend_of(const Node& contraction);
bool is_bias(const Node& contraction);

// A constant with one value for each channel when broadcast to `shape`, whose channels are `axis`. Judged by its dimensions, never by
// how many elements it has: [M,1] and [1,N] are different things where M == N.
bool is_per_channel(const Shape& constant, const Shape& shape, int64_t axis);

// The axis of a QuantizeLinear or DequantizeLinear with one parameter a slice.
int64_t quantization_axis(const Node& node);

// Anchors in `alone` keep their region to themselves.
Result<Fusion> fuse(const Graph& graph, bool enabled, const std::unordered_set<const Node*>& alone = {});

}  // namespace lapis::codegen
