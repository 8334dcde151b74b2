#include "codegen/lower/memory.h"

#include <algorithm>
#include <utility>

#include "runtime/abi.h"

namespace lapis::codegen {
namespace {

int64_t align_up(int64_t value) { return (value + abi::kAlignment - 1) / abi::kAlignment * abi::kAlignment; }

}  // namespace

namespace {

void add(std::vector<int>& buffers, const std::vector<View>& views) {
  for (const View& view : views) buffers.push_back(view.buffer);
}

std::vector<int> touched(const Loop& loop) {
  std::vector<int> buffers;
  add(buffers, loop.views);
  return buffers;
}

std::vector<int> touched(const Contraction& c) {
  std::vector<int> buffers = {c.input.buffer, c.output.buffer};
  for (const EpilogueOperand& operand : c.operands) buffers.push_back(operand.view.buffer);
  return buffers;
}

std::vector<int> touched(const Call& call) {
  std::vector<int> buffers;
  add(buffers, call.inputs);
  add(buffers, call.outputs);
  return buffers;
}

std::vector<int> touched(const Branch& branch) { return {branch.condition.buffer}; }

std::vector<int> touched(const Repeat& repeat) {
  std::vector<int> buffers = {repeat.counter.buffer};
  for (const std::optional<View>* view : {&repeat.trips, &repeat.condition})
    if (*view) buffers.push_back((*view)->buffer);
  for (const Repeat::Collection& c : repeat.collections) add(buffers, {c.part, c.all});
  return buffers;
}

}  // namespace

std::vector<int> touched_buffers(const Region& region) {
  return std::visit([](const auto& r) { return touched(r); }, region);
}

// What a repetition finds is there until it ends: it may be read again in the next iteration.
static void outlive(std::vector<LiveRange>& ranges, int repeat, int last) {
  for (LiveRange& range : ranges)
    if (range.first <= repeat && range.last >= repeat) range.last = std::max(range.last, last);
}

std::vector<LiveRange> live_ranges(const Plan& plan) {
  std::vector<LiveRange> ranges(plan.buffers.size());
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    for (int b : touched_buffers(plan.steps[s].region)) {
      LiveRange& range = ranges[static_cast<size_t>(b)];
      range.first = std::min(range.first, static_cast<int>(s));
      range.last = std::max(range.last, static_cast<int>(s));
    }
  }
  for (size_t s = plan.steps.size(); s-- > 0;)  // inner ones first
    if (const auto* repeat = std::get_if<Repeat>(&plan.steps[s].region))
      outlive(ranges, static_cast<int>(s), repeat->end - 1);
  return ranges;
}

namespace {

// The buffers that are placed, by the steps in which they are alive: a new one meets only those of its own steps.
class Placed {
 public:
  Placed(const Plan& plan, const std::vector<LiveRange>& ranges)
      : plan_(plan), ranges_(ranges), alive_(plan.steps.size()), asked_(plan.buffers.size()) {}

  void add(size_t buffer) {
    for (int s = ranges_[buffer].first; s <= ranges_[buffer].last; ++s)
      alive_[static_cast<size_t>(s)].push_back(buffer);
  }
  // Those alive together with `buffer`, by offset.
  std::vector<size_t> beside(size_t buffer) {
    std::vector<size_t> found;
    ++round_;
    for (int s = ranges_[buffer].first; s <= ranges_[buffer].last; ++s)
      for (size_t b : alive_[static_cast<size_t>(s)])
        if (std::exchange(asked_[b], round_) != round_) found.push_back(b);
    std::sort(found.begin(), found.end(), [&](size_t a, size_t b) {
      return std::pair(plan_.buffers[a].offset, a) < std::pair(plan_.buffers[b].offset, b);
    });
    return found;
  }

 private:
  const Plan& plan_;
  const std::vector<LiveRange>& ranges_;
  std::vector<std::vector<size_t>> alive_;
  std::vector<size_t> asked_;  // the round in which a buffer was found last
  size_t round_ = 0;
};

}  // namespace

void plan_memory(Plan& plan) {
  const std::vector<LiveRange> ranges = live_ranges(plan);
  std::vector<size_t> order;
  for (size_t b = 0; b < plan.buffers.size(); ++b)
    if (plan.buffers[b].space == Space::Arena && ranges[b].last >= 0) order.push_back(b);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  Placed placed(plan, ranges);
  plan.arena_bytes = 0;
  for (size_t b : order) {
    Buffer& buffer = plan.buffers[b];
    int64_t offset = 0;
    for (size_t p : placed.beside(b)) {
      if (offset + buffer.bytes <= plan.buffers[p].offset) break;
      offset = std::max(offset, align_up(plan.buffers[p].offset + plan.buffers[p].bytes));
    }
    buffer.offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, align_up(offset + buffer.bytes));
    placed.add(b);
  }
}

}  // namespace lapis::codegen
