// Tree-structured Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011): the
// trials so far are split into the best quarter and the rest; for each choice (the candidate, each unit's precision)
// both give a distribution; of configurations drawn from the first, the one that the first makes most likely against
// the second is tried next.
#include <algorithm>
#include <cmath>

#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {
namespace {

constexpr size_t kFirst = 10, kDraws = 24;
constexpr double kBest = 0.25;

// Independent choices, counted with one more of each, so that none is impossible.
class Estimator {
 public:
  Estimator(const SearchSpace& space, const std::vector<const Trial*>& trials)
      : candidates_(space.candidates.size(), 1),
        fp32_(space.units.size(), 1),
        count_(static_cast<double>(trials.size())) {
    for (const Trial* t : trials) {
      ++candidates_[t->configuration.candidate];
      for (size_t u = 0; u < fp32_.size(); ++u) fp32_[u] += t->configuration.fp32[u];
    }
  }

  Configuration draw(std::mt19937_64& random) const {
    Configuration c;
    double at = unit_interval(random) * (count_ + static_cast<double>(candidates_.size()));
    while (c.candidate + 1 < candidates_.size() && (at -= candidates_[c.candidate]) >= 0) ++c.candidate;
    for (const double n : fp32_) c.fp32.push_back(unit_interval(random) < n / (count_ + 2));
    return c;
  }

  double log_likelihood(const Configuration& c) const {
    double sum = std::log(candidates_[c.candidate] / (count_ + static_cast<double>(candidates_.size())));
    for (size_t u = 0; u < fp32_.size(); ++u) {
      const double p = fp32_[u] / (count_ + 2);
      sum += std::log(c.fp32[u] ? p : 1 - p);
    }
    return sum;
  }

 private:
  std::vector<double> candidates_, fp32_;
  double count_;
};

std::optional<Configuration> next(Trials& trials) {
  std::vector<const Trial*> order;
  for (const Trial& t : trials.history().trials)
    if (t.number > 0) order.push_back(&t);
  if (order.size() < kFirst) return new_configuration(trials);
  std::stable_sort(order.begin(), order.end(), [](const Trial* a, const Trial* b) { return better(*a, *b); });
  const auto split = order.begin() + static_cast<ptrdiff_t>(std::ceil(kBest * static_cast<double>(order.size())));
  const Estimator good(trials.space(), {order.begin(), split}), bad(trials.space(), {split, order.end()});
  std::optional<Configuration> best;
  double most = 0;
  for (size_t i = 0; i < kDraws; ++i) {
    const Configuration c = good.draw(trials.random());
    const double ratio = good.log_likelihood(c) - bad.log_likelihood(c);
    if (c.all_fp32() || trials.known(c) || (best && ratio <= most)) continue;
    best = c;
    most = ratio;
  }
  return best ? best : new_configuration(trials);
}

}  // namespace

Status tpe(Trials& trials) {
  if (!try_candidates(trials)) return ok();
  while (const auto configuration = next(trials))
    if (!trials.run(*configuration)) break;
  return ok();
}

}  // namespace lapis::strategies
