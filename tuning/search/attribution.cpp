#include "tuning/search/attribution.h"

#include <algorithm>
#include <cmath>

#include "base/stopwatch.h"
#include "tuning/strategies/moves.h"

namespace lapis {
namespace {

std::vector<std::string> numbered(const std::string& name, size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(name + std::to_string(i));
  return names;
}

class Measurement {
 public:
  Measurement(Workbench& bench, const TuneConfig& config, const TuneObserver& observer, std::optional<double> seconds)
      : bench_(bench), space_(bench.space()), config_(config), observer_(observer), seconds_(seconds) {}

  Result<Attribution> run() {
    Attribution found;
    LAPIS_TRY(found.candidate, quietest(found.noise));
    LAPIS_TRY(const Effect whole,
              effect(space_.int8(found.candidate)));  // of this rank, with whose clock it times units
    found.units.resize(space_.units.size());
    LAPIS_TRY(const std::vector<size_t> order, this->order(found.candidate));
    std::vector<std::string> names;
    names.reserve(order.size());
    for (const size_t u : order) names.push_back("effect of unit " + std::to_string(u));
    for (size_t i = 0; i < order.size(); ++i) {
      LAPIS_TRY(const std::string text, bench_.team().piece(names, i, [&](size_t at) -> Result<std::string> {
        return text_of(numbers_of_unit(found.candidate, order[at], whole));
      }));
      found.units[order[i]] = effect_of(numbers_of(text));
      if (observer_.progress)
        observer_.progress("measuring nodes", static_cast<int64_t>(i) + 1, static_cast<int64_t>(order.size()));
    }
    LAPIS_TRY(found.seconds, bench_.team().agreed("seconds of attribution", watch_.seconds()));
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
        if (at > 0 && is_late()) return std::string();
        LAPIS_TRY(const Built built, bench_.build(space_.int8(bases[at])));
        LAPIS_TRY(const double noise, bench_.noise(*built.graph));
        return text_of({noise});
      });
      if (!text.ok())
        why.insert(why.end(), text.diagnostics().begin(), text.diagnostics().end());
      else if (text->empty())
        break;
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

  bool is_late() const { return seconds_ && watch_.seconds() >= *seconds_; }

  // In which units are measured: as they stand, or, where time may not do for all,
  // those first in which most noise arises.
  Result<std::vector<size_t>> order(size_t candidate) {
    std::vector<double> noise(space_.units.size(), 0);
    if (!seconds_) return descending(noise);
    LAPIS_TRY(const Built built, bench_.sketch(space_.int8(candidate)));
    LAPIS_TRY(const Damage damage, bench_.damage(*built.graph));
    std::unordered_map<std::string_view, double> arises;
    for (const NodeDamage& n : damage.nodes)
      arises[n.node] = std::pow(10, -n.sqnr / 10) - std::pow(10, -n.operands / 10);
    for (size_t u = 0; u < noise.size(); ++u)
      for (const std::string& node : space_.units[u].nodes)
        if (const auto at = arises.find(node); at != arises.end()) noise[u] = std::fmax(noise[u], at->second);
    return descending(noise);
  }

  // None where its time is up: which a rank finds for all of them.
  std::vector<double> numbers_of_unit(size_t candidate, size_t unit, const Effect& whole) {
    if (is_late()) return {};
    const UnitEffect e = of_unit(candidate, unit, whole);
    return {e.noise, e.milliseconds, e.gain};
  }

  static UnitEffect effect_of(const std::vector<double>& numbers) {
    if (numbers.empty()) return {.measured = false};
    LAPIS_ASSERT(numbers.size() == 3, numbers.size() << " numbers of a unit");
    return {numbers[0], numbers[1], numbers[2]};
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
  const std::optional<double> seconds_;
  const Stopwatch watch_;
};

}  // namespace

Result<Attribution> measure_attribution(Workbench& bench, const TuneConfig& config, const TuneObserver& observer,
                                        std::optional<double> seconds) {
  return Measurement(bench, config, observer, seconds).run();
}

}  // namespace lapis
