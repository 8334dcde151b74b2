// Configurations drawn at random, each once (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization",
// JMLR 13, 2012).
#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {

Status random(Trials& trials) {
  for (;;) {
    std::vector<Configuration> drawn;  // as many as ranks can measure side by side
    while (drawn.size() < trials.width()) {
      const auto configuration = new_configuration(trials, drawn);
      if (!configuration) break;
      drawn.push_back(*configuration);
    }
    trials.run_ahead(drawn);
    for (const Configuration& c : drawn)
      if (!trials.run(c)) return ok();
    if (drawn.empty()) return ok();
  }
}

}  // namespace lapis::strategies
