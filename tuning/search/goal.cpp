#include "tuning/search/goal.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace lapis {

double AccuracyCriterion::allowed_loss(double baseline, bool higher_is_better) const {
  if (relative) return *relative * std::abs(baseline);
  if (absolute) return *absolute;
  LAPIS_ASSERT(value.has_value(), "an accuracy criterion that says nothing");
  return higher_is_better ? baseline - *value : *value - baseline;
}

static constexpr std::array<std::string_view, 4> kObjectives = {"latency", "throughput", "model_size",
                                                                "memory_footprint"};

std::string_view name_of(Objective objective) { return kObjectives[static_cast<size_t>(objective)]; }

std::optional<Objective> objective_from_name(std::string_view name) {
  const auto it = std::find(kObjectives.begin(), kObjectives.end(), name);
  return it == kObjectives.end() ? std::nullopt : std::optional(static_cast<Objective>(it - kObjectives.begin()));
}

std::vector<std::string> objective_names() { return {kObjectives.begin(), kObjectives.end()}; }

bool Objectives::contain(Objective objective) const {
  return std::any_of(of.begin(), of.end(), [&](const Weighted& w) { return w.objective == objective; });
}

static double improvement_by(Objective objective, const Costs& costs, const Costs& baseline) {
  switch (objective) {
    case Objective::Latency: return baseline.milliseconds / costs.milliseconds;
    case Objective::Throughput: return costs.throughput / baseline.throughput;
    case Objective::ModelSize: return baseline.size_bytes / costs.size_bytes;
    case Objective::MemoryFootprint: return baseline.memory_bytes / costs.memory_bytes;
  }
  LAPIS_UNREACHABLE("unknown objective");
}

double Objectives::improvement(const Costs& costs, const Costs& baseline) const {
  double sum = 0, weights = 0;
  for (const Weighted& w : of) {
    sum += w.weight * improvement_by(w.objective, costs, baseline);
    weights += w.weight;
  }
  return sum / weights;
}

}  // namespace lapis
