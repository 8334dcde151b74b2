// The fastest model within the target. How much each unit disturbs the outputs and how much time its int8 form saves
// are measured beforehand (tuning/search/attribution.h); units go to fp32 in the order of the first over the second, so
// that every prefix of that order is close to the least noise that can be had for its time. The noises of units add up
// as long as they are small, which is what makes a ranking of single units say something about sets of them (Cai et
// al., "ZeroQ: A Novel Zero Shot Quantization Framework", CVPR 2020, section 3.3). Accuracy grows along the prefixes,
// so that bisection finds where the target lies; single units around it are then tried in the other precision.
#include <algorithm>
#include <limits>

#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {
namespace {

// Units whose int8 form saves nothing come first, whatever they disturb.
std::vector<size_t> by_noise_per_gain(const Attribution& attribution) {
  constexpr double kNothing = 5e-3;  // of the fp32 model's cost
  std::vector<double> ratios;
  for (const UnitEffect& u : attribution.units)
    ratios.push_back(u.gain > -kNothing ? (u.noise + 1e-12) / std::max(u.gain, kNothing)
                                        : std::numeric_limits<double>::infinity());
  return descending(ratios);
}

Configuration prefix(const Configuration& from, const std::vector<size_t>& order, size_t length) {
  Configuration c = from;
  for (size_t i = 0; i < length; ++i) c.fp32[order[i]] = true;
  return c;
}

// Between a prefix that fails and one that passes (the whole order counts as one, being the fp32 model) the shortest
// that does; with a limit of latency, where all int8 is what passes, the longest.
const Trial* bisect(Trials& trials, const Configuration& from, const std::vector<size_t>& order, bool longest) {
  size_t low = 0, high = order.size();
  const Trial* best = nullptr;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    const Trial* trial = trials.run(prefix(from, order, middle));
    if (!trial) return best;
    if (!best || better(*trial, *best)) best = trial;
    (trial->passes == longest ? low : high) = middle;
  }
  return best;
}

// Units whose int8 form is slower than fp32.
const Trial* drop_what_costs(Trials& trials, const Trial* best) {
  std::vector<size_t> costly;
  for (size_t u = 0; u < trials.space().units.size(); ++u)
    if (trials.attribution().units[u].gain < 0 && !best->configuration.fp32[u]) costly.push_back(u);
  return toggle_each(trials, best, costly);
}

}  // namespace

Status pareto(Trials& trials) {
  const bool longest = trials.config().exit.latency_milliseconds.has_value();
  const std::vector<size_t> order = by_noise_per_gain(trials.attribution());
  const Trial* first = trials.run(trials.space().int8(trials.attribution().candidate));
  const Trial* start = first && !first->passes ? try_candidates(trials) : first;
  if (!start) return ok();
  const Trial* best = start;
  if (start->passes == longest) {
    const Trial* found = bisect(trials, start->configuration, order, longest);
    if (found && better(*found, *best)) best = found;
  }
  best = try_variants(trials, best);
  // Back to int8 what hurts least for its gain, and, where there is room, to fp32 what hurts most.
  std::vector<size_t> back(order.rbegin(), order.rend());
  std::stable_partition(back.begin(), back.end(), [&](size_t u) { return best->configuration.fp32[u]; });
  best = drop_what_costs(trials, best);
  for (const Trial* before = nullptr; best != before && !trials.over();) {
    before = best;
    best = toggle_each(trials, best, back);
  }
  return ok();
}

}  // namespace lapis::strategies
