#include "tuning/search/attribution.h"

#include <algorithm>

namespace lapis {
namespace {

class Measurement {
 public:
  Measurement(Workbench& bench, const TuneConfig& config, const TuneObserver& observer)
      : bench_(bench), space_(bench.space()), config_(config), observer_(observer) {}

  Result<Attribution> run() {
    Attribution found;
    LAPIS_TRY(found.candidate, quietest(found.noise));
    LAPIS_TRY(const Effect whole, effect(space_.int8(found.candidate)));
    for (size_t u = 0; u < space_.units.size(); ++u) {
      found.units.push_back(of_unit(found.candidate, u, whole));
      if (observer_.progress)
        observer_.progress("measuring nodes", static_cast<int64_t>(u) + 1, static_cast<int64_t>(space_.units.size()));
    }
    return found;
  }

 private:
  struct Effect {
    double noise = 0, milliseconds = 0, improvement = 0;
  };

  Result<size_t> quietest(double& least) {
    std::optional<size_t> best;
    Diagnostics why;
    for (size_t c = 0; c < space_.candidates.size(); ++c) {
      const Result<double> noise = bench_.noise(space_.int8(c));
      if (!noise.ok())
        why.insert(why.end(), noise.diagnostics().begin(), noise.diagnostics().end());
      else if (!best || *noise < least)
        best = c, least = *noise;
    }
    if (!best) return why;
    return *best;
  }

  Result<Effect> effect(const Configuration& c) {
    LAPIS_TRY(const Built built, bench_.build(c));
    LAPIS_TRY(Runners runners, bench_.open(*built.graph));
    LAPIS_TRY(const double noise, bench_.noise(*runners[0]));
    LAPIS_TRY(const Workbench::Measured costs, bench_.costs(*built.graph, runners));
    return Effect{noise, costs.costs.milliseconds, config_.objectives.improvement(costs.costs, costs.baseline)};
  }

  // A configuration that cannot be made says nothing about its unit.
  UnitEffect of_unit(size_t candidate, size_t unit, const Effect& whole) {
    UnitEffect found;
    const Result<Effect> without = effect(space_.int8(candidate).with(unit, true));
    if (without.ok()) {
      found.milliseconds = without->milliseconds - whole.milliseconds;
      found.gain = whole.improvement - without->improvement;
      found.noise = std::max(0.0, whole.noise - without->noise);
    }
    if (const std::optional<double> alone = noise_alone(candidate, unit)) found.noise = *alone;
    return found;
  }

  std::optional<double> noise_alone(size_t candidate, size_t unit) {
    const Result<Built> built = bench_.build(space_.float32(candidate).with(unit, false));
    if (!built.ok() || built->report.quantized_count() == 0) return std::nullopt;
    const Result<double> noise = bench_.noise(*built->graph);
    return noise.ok() ? std::optional(*noise) : std::nullopt;
  }

  Workbench& bench_;
  const SearchSpace& space_;
  const TuneConfig& config_;
  const TuneObserver& observer_;
};

}  // namespace

Result<Attribution> measure_attribution(Workbench& bench, const TuneConfig& config, const TuneObserver& observer) {
  return Measurement(bench, config, observer).run();
}

}  // namespace lapis
