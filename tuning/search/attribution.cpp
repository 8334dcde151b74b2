#include "tuning/search/attribution.h"

#include <algorithm>

namespace lapis {
namespace {

std::vector<std::string> numbered(const std::string& name, size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(name + std::to_string(i));
  return names;
}

class Measurement {
 public:
  Measurement(Workbench& bench, const TuneConfig& config, const TuneObserver& observer)
      : bench_(bench), space_(bench.space()), config_(config), observer_(observer) {}

  Result<Attribution> run() {
    Attribution found;
    LAPIS_TRY(found.candidate, quietest(found.noise));
    LAPIS_TRY(const Effect whole,
              effect(space_.int8(found.candidate)));  // of this rank, with whose clock it times units
    const std::vector<std::string> names = numbered("effect of unit ", space_.units.size());
    for (size_t u = 0; u < space_.units.size(); ++u) {
      LAPIS_TRY(const std::string text, bench_.team().piece(names, u, [&](size_t unit) -> Result<std::string> {
        const UnitEffect e = of_unit(found.candidate, unit, whole);
        return text_of({e.noise, e.milliseconds, e.gain});
      }));
      const std::vector<double> numbers = numbers_of(text);
      LAPIS_ASSERT(numbers.size() == 3, "three numbers of a unit, not '" << text << "'");
      found.units.push_back({numbers[0], numbers[1], numbers[2]});
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
    const std::vector<size_t> bases = space_.bases();
    const std::vector<std::string> names = numbered("noise of candidate ", bases.size());
    for (size_t c = 0; c < bases.size(); ++c) {
      const auto text = bench_.team().piece(names, c, [&](size_t at) -> Result<std::string> {
        LAPIS_TRY(const Built built, bench_.build(space_.int8(bases[at])));
        LAPIS_TRY(const double noise, bench_.noise(*built.graph));
        return text_of({noise});
      });
      if (!text.ok())
        why.insert(why.end(), text.diagnostics().begin(), text.diagnostics().end());
      else if (const double noise = numbers_of(*text).front(); !best || noise < least)
        best = bases[c], least = noise;
    }
    if (!best) return why;
    return *best;
  }

  Result<Effect> effect(const Configuration& c) {
    LAPIS_TRY(const Built built, bench_.sketch(c));
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
    const Result<Built> built = bench_.sketch(space_.float32(candidate).with(unit, false));
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
