// Strategy mse_v2 of Intel Neural Compressor: how much of the error of the model's outputs goes when a unit alone
// changes to fp32 says what its impact is. The one with the largest goes to fp32, again from where that leads, until
// the target is met; then those with the least impact come back to int8 while it stays met.
#include <limits>

#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {
namespace {

class Search {
 public:
  explicit Search(Trials& trials) : trials_(trials) {}

  Status run() {
    const Trial* at = try_candidates(trials_);
    if (!at || !at->measured()) return ok();
    std::vector<size_t> changed;  // in the order of their impact
    while (at && !at->passes && changed.size() + 1 < at->configuration.fp32.size() && !trials_.over()) {
      LAPIS_TRY(const size_t unit, worst(at->configuration));
      changed.push_back(unit);
      at = trials_.run(at->configuration.with(unit, true));
    }
    while (at && !changed.empty()) {
      const Trial* back = trials_.run(at->configuration.with(changed.back(), false));
      changed.pop_back();
      if (!back) break;
      if (better(*back, *at)) at = back;
    }
    return ok();
  }

 private:
  Result<size_t> worst(const Configuration& at) {
    size_t found = at.fp32.size();
    double least = std::numeric_limits<double>::infinity();
    for (size_t u = 0; u < at.fp32.size(); ++u) {
      if (at.fp32[u]) continue;
      LAPIS_TRY(const double noise, trials_.bench().noise(at.with(u, true)));
      if (noise < least || found == at.fp32.size()) found = u, least = noise;
    }
    return found;
  }

  Trials& trials_;
};

}  // namespace

Status mse_v2(Trials& trials) { return Search(trials).run(); }

}  // namespace lapis::strategies
