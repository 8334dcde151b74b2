// The default strategy of Intel's Low Precision Optimization Tool (docs/tuning_strategies.md of its release 1.6): all
// candidates for the whole model; from the best of them each unit alone to fp32, the last one first; then the units
// together, those that helped most first, keeping what makes it better; then all of them in that order.
#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {

Status basic(Trials& trials) {
  const Trial* best = try_candidates(trials);
  if (!best) return ok();
  const Configuration start = best->configuration;
  const Trial* const whole = best;
  std::vector<double> recovered(start.fp32.size(), 0);
  std::vector<Configuration> alone;
  for (size_t u = start.fp32.size(); u-- > 0;) alone.push_back(start.with(u, true));
  trials.run_ahead(alone);
  for (size_t u = start.fp32.size(); u-- > 0 && start.fp32.size() > 1;) {
    const Trial* trial = trials.run(start.with(u, true));
    if (!trial) return ok();
    recovered[u] = trial->measured() ? trial->gain - whole->gain : -1e30;
  }
  const std::vector<size_t> order = descending(recovered);
  accumulate_twice(trials, whole, order);
  return ok();
}

}  // namespace lapis::strategies
