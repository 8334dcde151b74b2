// Configurations drawn at random, each once (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012).
#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {

Status random(Trials& trials) {
  while (const auto configuration = new_configuration(trials))
    if (!trials.run(*configuration)) break;
  return ok();
}

}  // namespace lapis::strategies
