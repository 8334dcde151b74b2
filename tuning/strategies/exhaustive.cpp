// Every configuration: all sets of units in fp32, the small ones first, each with every candidate.
// For small models, or with a limit of trials.
#include <algorithm>

#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {

Status exhaustive(Trials& trials) {
  const SearchSpace& space = trials.space();
  for (size_t in_fp32 = 0; in_fp32 < space.units.size(); ++in_fp32) {
    std::vector<bool> set(space.units.size(), false);
    std::fill_n(set.begin(), in_fp32, true);
    do {
      std::vector<Configuration> all;
      for (size_t c = 0; c < space.candidates.size(); ++c) all.push_back({c, set});
      trials.run_ahead(all);
      for (const Configuration& c : all)
        if (!trials.run(c)) return ok();
    } while (std::prev_permutation(set.begin(), set.end()));
  }
  return ok();
}

}  // namespace lapis::strategies
