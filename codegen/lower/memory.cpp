#include "codegen/lower/memory.h"

#include <algorithm>
#include <map>
#include <set>
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
  if (c.computed) buffers.push_back(c.computed->panels.buffer);
  if (c.computed && c.computed->starts) buffers.push_back(c.computed->starts->buffer);
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
static void outlive(std::vector<LiveRange>& ranges, const Plan& plan, size_t repeat, int end) {
  for (size_t s = repeat; static_cast<int>(s) < end; ++s)
    for (int b : touched_buffers(plan.steps[s].region)) {
      LiveRange& range = ranges[static_cast<size_t>(b)];
      if (range.first <= static_cast<int>(repeat)) range.last = std::max(range.last, end - 1);
    }
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
    if (const auto* repeat = std::get_if<Repeat>(&plan.steps[s].region)) outlive(ranges, plan, s, repeat->end);
  return ranges;
}

namespace {

// Buffers by the steps in which they are alive: finding those that meet one takes time in proportion to their number.
class Timeline {
 public:
  Timeline(const std::vector<LiveRange>& ranges, size_t steps) : ranges_(ranges), steps_(steps), covering_(2 * steps) {}

  void add(size_t buffer) {
    const auto [first, last] = ranges_[buffer];
    starts_.emplace(first, buffer);
    for (size_t l = leaf(first), r = leaf(last) + 1; l < r; l /= 2, r /= 2) {
      if (l % 2) covering_[l++].push_back(buffer);
      if (r % 2) covering_[--r].push_back(buffer);
    }
  }

  // Those alive in some step of `buffer`: they begin while it lives, or live when it begins. Some may be listed twice.
  std::vector<size_t> beside(size_t buffer) const {
    const auto [first, last] = ranges_[buffer];
    std::vector<size_t> found;
    for (auto at = starts_.lower_bound({first, 0}); at != starts_.end() && at->first <= last; ++at)
      found.push_back(at->second);
    for (size_t node = leaf(first); node > 0; node /= 2)
      found.insert(found.end(), covering_[node].begin(), covering_[node].end());
    return found;
  }

 private:
  size_t leaf(int step) const { return steps_ + static_cast<size_t>(step); }

  const std::vector<LiveRange>& ranges_;
  size_t steps_;
  std::set<std::pair<int, size_t>> starts_;    // first step, buffer
  std::vector<std::vector<size_t>> covering_;  // segment tree: node n covers what nodes 2n and 2n + 1 do
};

// Memory from `begin` on that is handed out and taken back; holes beside each other are one.
class FreeList {
 public:
  explicit FreeList(int64_t begin) : end_(begin) {}
  int64_t end() const { return end_; }

  // In the smallest hole that is large enough, else at the end.
  int64_t take(int64_t bytes) {
    const auto hole = by_size_.lower_bound({bytes, 0});
    if (hole == by_size_.end()) return std::exchange(end_, end_ + bytes);
    const auto [size, offset] = *hole;
    remove(offset, size);
    if (size > bytes) insert(offset + bytes, size - bytes);
    return offset;
  }

  void release(int64_t offset, int64_t bytes) {
    auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.begin())
      if (const auto [at, size] = *std::prev(next); at + size == offset) {
        remove(at, size);
        offset = at;
        bytes += size;
      }
    next = by_offset_.lower_bound(offset);
    if (next != by_offset_.end() && next->first == offset + bytes) {
      const auto [at, size] = *next;
      remove(at, size);
      bytes += size;
    }
    insert(offset, bytes);
  }

 private:
  void insert(int64_t offset, int64_t bytes) {
    by_offset_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  void remove(int64_t offset, int64_t bytes) {
    by_offset_.erase(offset);
    by_size_.erase({bytes, offset});
  }

  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_;
};

class Planner {
 public:
  explicit Planner(Plan& plan) : plan_(plan), ranges_(live_ranges(plan)), placed_(ranges_, plan.steps.size()) {}

  void run() {
    std::vector<size_t> order;
    for (size_t b = 0; b < plan_.buffers.size(); ++b)
      if (plan_.buffers[b].space == Space::Arena && ranges_[b].last >= 0) order.push_back(b);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return plan_.buffers[a].bytes > plan_.buffers[b].bytes; });
    plan_.arena_bytes = 0;
    // A buffer meets a few others. Where very many are alive at one time, those that are left when the work is no
    // longer linear are the small ones.
    size_t work = (size_t{1} << 20) + 256 * order.size(), next = 0;
    for (; next < order.size() && work > 0; ++next) work -= std::min(work, place_lowest(order[next]));
    order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(next));
    place_in_turn(std::move(order));
  }

 private:
  // Returns how many others it was compared with.
  size_t place_lowest(size_t b) {
    Buffer& buffer = plan_.buffers[b];
    std::vector<size_t> others = placed_.beside(b);
    std::sort(others.begin(), others.end(),
              [&](size_t a, size_t c) { return plan_.buffers[a].offset < plan_.buffers[c].offset; });
    int64_t offset = 0;
    for (size_t p : others) {
      if (offset + buffer.bytes <= plan_.buffers[p].offset) break;
      offset = std::max(offset, align_up(plan_.buffers[p].offset + plan_.buffers[p].bytes));
    }
    buffer.offset = offset;
    plan_.arena_bytes = std::max(plan_.arena_bytes, align_up(offset + buffer.bytes));
    placed_.add(b);
    return others.size();
  }

  // Above the others, in the order of their lives.
  void place_in_turn(std::vector<size_t> buffers) {
    const auto bytes = [&](size_t b) { return align_up(plan_.buffers[b].bytes); };
    FreeList memory(plan_.arena_bytes);
    std::set<std::pair<int, size_t>> alive;  // last step, buffer
    std::stable_sort(buffers.begin(), buffers.end(),
                     [&](size_t a, size_t b) { return ranges_[a].first < ranges_[b].first; });
    for (size_t b : buffers) {
      for (; !alive.empty() && alive.begin()->first < ranges_[b].first; alive.erase(alive.begin()))
        memory.release(plan_.buffers[alive.begin()->second].offset, bytes(alive.begin()->second));
      plan_.buffers[b].offset = memory.take(bytes(b));
      alive.emplace(ranges_[b].last, b);
    }
    plan_.arena_bytes = memory.end();
  }

  Plan& plan_;
  const std::vector<LiveRange> ranges_;
  Timeline placed_;
};

}  // namespace

void plan_memory(Plan& plan) { Planner(plan).run(); }

}  // namespace lapis::codegen
