#include "codegen/lower/memory.h"

#include <algorithm>
#include <numeric>

#include "runtime/abi.h"

namespace lapis::codegen {
namespace {

std::vector<int> touched_buffers(const Region& region) {
  std::vector<int> buffers;
  if (const auto* loop = std::get_if<Loop>(&region)) {
    for (const View& view : loop->views) buffers.push_back(view.buffer);
  } else {
    const auto& c = std::get<Contraction>(region);
    buffers = {c.input.buffer, c.output.buffer};
    for (const EpilogueOperand& operand : c.operands) buffers.push_back(operand.view.buffer);
  }
  return buffers;
}

int64_t align_up(int64_t value) { return (value + abi::kAlignment - 1) / abi::kAlignment * abi::kAlignment; }

bool overlap(const LiveRange& a, const LiveRange& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

std::vector<LiveRange> live_ranges(const Plan& plan) {
  std::vector<LiveRange> ranges(plan.buffers.size());
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    for (int b : touched_buffers(plan.steps[s].region)) {
      LiveRange& range = ranges[static_cast<size_t>(b)];
      range.first = std::min(range.first, static_cast<int>(s));
      range.last = std::max(range.last, static_cast<int>(s));
    }
  }
  return ranges;
}

void plan_memory(Plan& plan) {
  const std::vector<LiveRange> ranges = live_ranges(plan);
  std::vector<size_t> order;
  for (size_t b = 0; b < plan.buffers.size(); ++b)
    if (plan.buffers[b].space == Space::Arena && ranges[b].last >= 0) order.push_back(b);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });

  std::vector<size_t> placed;  // kept sorted by offset
  plan.arena_bytes = 0;
  for (size_t b : order) {
    Buffer& buffer = plan.buffers[b];
    int64_t offset = 0;
    for (size_t p : placed) {
      if (!overlap(ranges[b], ranges[p])) continue;
      if (offset + buffer.bytes <= plan.buffers[p].offset) break;
      offset = std::max(offset, align_up(plan.buffers[p].offset + plan.buffers[p].bytes));
    }
    buffer.offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, align_up(offset + buffer.bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), b,
                                   [&](size_t x, size_t y) { return plan.buffers[x].offset < plan.buffers[y].offset; }),
                  b);
  }
}

}  // namespace lapis::codegen
