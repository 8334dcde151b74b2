// Memory planning: every arena buffer gets an offset such that buffers alive at the same time never overlap.
#pragma once

#include "codegen/plan.h"

namespace lapis::codegen {

// The buffers that a step reads or writes.
std::vector<int> touched_buffers(const Region& region);

// Steps that touch each buffer: [first, last] by step index; first > last for buffers nobody touches.
struct LiveRange {
  int first = 1 << 30, last = -1;
};
std::vector<LiveRange> live_ranges(const Plan& plan);

// Assigns Buffer::offset of every arena buffer and plan.arena_bytes: big buffers first, each at the lowest offset that
// is free during its whole life (greedy by size; Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020). Where very many are alive at one time the small ones are placed in the order of their lives
// instead, so that it takes n log n.
void plan_memory(Plan& plan);

}  // namespace lapis::codegen
