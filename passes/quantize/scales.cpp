#include "passes/quantize/scales.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "ir/op.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"

namespace lapis {

namespace {

float width(Range r) { return std::max(r.high, 0.0f) - std::min(r.low, 0.0f); }

class Sharing {
 public:
  Sharing(const Placement& placement, const Ranges& ranges, double limit)
      : placement_(placement), limit_(limit), parent_(placement.values.size()) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
    for (size_t i = 0; i < placement.values.size(); ++i) {
      const auto range = ranges.find(placement.values[i]->name());
      LAPIS_ASSERT(range != ranges.end(), "no range for '" << placement.values[i]->name() << "'");
      index_[placement.values[i]] = i;
      ranges_.push_back(range->second);
    }
  }

  ScaleGroups run(const Graph& graph) {
    // Concat last: whether its operands may share depends on the whole groups they belong to.
    for (const Node* node : graph.nodes())
      if (moves_bytes(*node) && !node->is(ops::Concat)) join(operands_and_results(*node));
    for (const Node* node : graph.nodes())
      if (moves_bytes(*node) && node->is(ops::Concat)) join_concat(*node);
    for (size_t i = 0; i < parent_.size(); ++i) ++members_[find(i)];
    for (size_t i = 0; i < parent_.size(); ++i) clamp(i);
    return numbered();
  }

 private:
  bool moves_bytes(const Node& node) const {
    return placement_.quantized.contains(&node) && quant_of(node) == Quant::SharedScale;
  }

  size_t find(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  std::vector<size_t> indices(const std::vector<Value*>& values) const {
    std::vector<size_t> found;
    for (const Value* v : values)
      if (const auto it = index_.find(v); it != index_.end()) found.push_back(it->second);
    return found;
  }
  std::vector<size_t> operands_and_results(const Node& node) const {
    std::vector<Value*> values = data_operands(node);
    for (Value* v : data_outputs(node)) values.push_back(v);
    return indices(values);
  }

  void join(const std::vector<size_t>& members) {
    for (const size_t m : members) {
      if (!(placement_.schemes[m] == placement_.schemes[members.front()]))
        continue;  // other bytes: they are requantized
      const size_t a = find(members.front()), b = find(m);
      ranges_[a] = unite(ranges_[a], ranges_[b]);
      parent_[b] = a;
    }
  }

  // Scores in 0..1 beside coordinates in 0..640 would all fall into the first two steps of a common scale.
  void join_concat(const Node& node) {
    const Value *narrow = nullptr, *wide = nullptr;
    for (const Value* v : data_operands(node)) {
      if (!index_.contains(v)) return;  // a scale of the model's own, which nothing joins
      if (!narrow || group_width(v) < group_width(narrow)) narrow = v;
      if (!wide || group_width(v) > group_width(wide)) wide = v;
    }
    if (group_width(wide) <= limit_ * group_width(narrow)) return join(operands_and_results(node));
    std::ostringstream note;
    note << "'" << node.name() << "' (Concat): the range of '" << wide->name() << "' is "
         << group_width(wide) / group_width(narrow) << " times that of '" << narrow->name() << "' (limit " << limit_
         << "): its operands keep their own scales and are requantized";
    notes_.push_back(note.str());
  }
  float group_width(const Value* v) { return width(ranges_[find(index_.at(v))]); }

  // What every reader cuts off needs no steps of the scale.
  void clamp(size_t i) {
    const Value& v = *placement_.values[i];
    std::optional<Range> bounds;
    for (const Use& use : v.uses()) {
      const auto activation = activation_bounds(*use.node);
      if (!activation) return;
      bounds = bounds ? unite(*bounds, *activation) : *activation;
    }
    const size_t group = find(i);
    if (!bounds || v.is_graph_output() || members_[group] != 1) return;
    ranges_[group] = {std::clamp(ranges_[group].low, bounds->low, bounds->high),
                      std::clamp(ranges_[group].high, bounds->low, bounds->high)};
  }

  ScaleGroups numbered() {
    ScaleGroups groups{std::vector<size_t>(parent_.size()), {}, std::move(notes_)};
    std::unordered_map<size_t, size_t> numbers;
    for (size_t i = 0; i < parent_.size(); ++i) {
      const auto [it, fresh] = numbers.emplace(find(i), groups.ranges.size());
      if (fresh) groups.ranges.push_back(ranges_[find(i)]);
      groups.group_of[i] = it->second;
    }
    return groups;
  }

  const Placement& placement_;
  double limit_;
  std::vector<size_t> parent_;
  std::vector<Range> ranges_;  // of a group, at its root
  std::unordered_map<const Value*, size_t> index_;
  std::unordered_map<size_t, int> members_;  // of a group, by its root
  std::vector<std::string> notes_;
};

}  // namespace

ScaleGroups share_scales(const Placement& placement, const Graph& graph, const Ranges& ranges, double share_limit) {
  return Sharing(placement, ranges, share_limit).run(graph);
}

}  // namespace lapis
