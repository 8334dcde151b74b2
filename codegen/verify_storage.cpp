#include "codegen/verify_storage.h"

#include <algorithm>
#include <set>
#include <utility>

#include "codegen/lower/memory.h"
#include "codegen/print_plan.h"
#include "runtime/abi.h"

namespace lapis::codegen {
namespace {

class StorageVerifier {
 public:
  explicit StorageVerifier(const Plan& plan) : plan_(plan) {}

  Diagnostics run() {
    check_io(plan_.inputs, Space::Input, 0);
    check_io(plan_.outputs, Space::Output, static_cast<int64_t>(plan_.inputs.size()));
    require(plan_.weight_hashes.size() == plan_.weights.all().size(),
            [] { return "a part of the weights has no hash"; });
    for (const Step& step : plan_.steps)
      for (const int buffer : touched_buffers(step.region))
        require(buffer >= 0 && buffer < static_cast<int>(plan_.buffers.size()),
                [&] { return "a view of '" + name_of(step.region) + "' has no buffer"; });
    if (!found_.empty()) return std::move(found_);
    const std::vector<LiveRange> ranges = live_ranges(plan_);
    for (size_t b = 0; b < ranges.size(); ++b)
      if (is_constant(plan_.buffers[b]) || ranges[b].last >= 0) check_place(plan_.buffers[b]);
    if (found_.empty()) check_overlap(ranges);
    return std::move(found_);
  }

 private:
  // `what` makes the text, where it is needed: plans are verified for every shape.
  template <class What> bool require(bool holds, const What& what) {
    if (!holds) found_.push_back(error(ErrorKind::Internal, what()).at("plan"));
    return holds;
  }

  static bool is_constant(const Buffer& b) { return b.space == Space::Constant || b.space == Space::Weights; }
  bool in_weights(const Buffer& b) const {
    return plan_.weights.holds(static_cast<uint64_t>(b.offset), static_cast<uint64_t>(b.bytes));
  }

  void check_place(const Buffer& b) {
    if (b.space == Space::Input || b.space == Space::Output) return;
    const int64_t all = b.space == Space::Constant ? static_cast<int64_t>(plan_.constants.size()) : plan_.arena_bytes;
    const bool inside = b.space == Space::Weights ? in_weights(b) : b.bytes <= all - b.offset;
    require(b.bytes >= 0 && b.offset >= 0 && inside,
            [&] { return "buffer '" + b.name + "' lies outside of its memory"; });
    require(b.offset % abi::kAlignment == 0, [&] { return "buffer '" + b.name + "' is not aligned"; });
  }

  void check_io(const std::vector<PlanIo>& list, Space space, int64_t first) {
    for (size_t i = 0; i < list.size(); ++i) {
      const PlanIo& io = list[i];
      const auto count = static_cast<int>(plan_.buffers.size());
      if (!require(io.buffer >= 0 && io.buffer < count, [&] { return "'" + io.name + "' has no buffer"; })) continue;
      const Buffer& b = plan_.buffers[static_cast<size_t>(io.buffer)];
      require(b.space == space && b.offset == first + static_cast<int64_t>(i) &&
                  b.bytes == byte_size(io.dtype, element_count(io.shape)),
              [&] { return "'" + io.name + "' is not the buffer it should be"; });
    }
  }

  // Buffers in the order of their first step. As long as those that are alive do not overlap, a new one does so with
  // its neighbours or with none.
  void check_overlap(const std::vector<LiveRange>& ranges) {
    std::vector<size_t> order;
    for (size_t b = 0; b < plan_.buffers.size(); ++b)
      if (plan_.buffers[b].space == Space::Arena && ranges[b].last >= 0) order.push_back(b);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ranges[a].first < ranges[b].first; });
    std::set<std::pair<int, size_t>> ends;           // last step, buffer
    std::set<std::pair<int64_t, size_t>> by_offset;  // of those alive
    for (size_t b : order) {
      for (; !ends.empty() && ends.begin()->first < ranges[b].first; ends.erase(ends.begin()))
        by_offset.erase({plan_.buffers[ends.begin()->second].offset, ends.begin()->second});
      const auto at = by_offset.emplace(plan_.buffers[b].offset, b).first;
      if (at != by_offset.begin()) check_apart(std::prev(at)->second, b);
      if (std::next(at) != by_offset.end()) check_apart(b, std::next(at)->second);
      ends.emplace(ranges[b].last, b);
    }
  }

  void check_apart(size_t low, size_t high) {
    const Buffer &x = plan_.buffers[low], &y = plan_.buffers[high];
    require(x.offset + x.bytes <= y.offset,
            [&] { return "buffers '" + x.name + "' and '" + y.name + "' overlap while both are in use"; });
  }

  const Plan& plan_;
  Diagnostics found_;
};

}  // namespace

Diagnostics verify_storage(const Plan& plan) { return StorageVerifier(plan).run(); }

}  // namespace lapis::codegen
