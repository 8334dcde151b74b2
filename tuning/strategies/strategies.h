// The strategies, each in a file of its own, which says where it comes from.
#pragma once

#include "tuning/search/strategy.h"

namespace lapis::strategies {

// The fastest model within the target: units go to fp32 by measured sensitivity per measured gain.
Status pareto(Trials& trials);
Status basic(Trials& trials);
Status mse(Trials& trials);
Status mse_v2(Trials& trials);
Status hawq(Trials& trials);
Status bayesian(Trials& trials);
Status tpe(Trials& trials);
Status random(Trials& trials);
Status exhaustive(Trials& trials);

}  // namespace lapis::strategies
