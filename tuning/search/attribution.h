// Which node hurts, and what it is worth: the effect of each unit on the outputs and on the cost,
// measured before the search begins and without labels.
#pragma once

#include "tuning/search/workbench.h"

namespace lapis {

// For the candidate whose all-int8 model has the least noise. The noise of a unit is that of the model in which it
// alone is int8, or, where it cannot be int8 alone (a sum between float values), what the all-int8 model loses of its
// noise when the unit stays in fp32. Its milliseconds and gain are what the all-int8 model loses with it. Within
// `seconds` units come in the order of the noise that arises in them when all are int8, which one run of that model
// beside the float one says; those for which there is no time left are not measured.
Result<Attribution> measure_attribution(Workbench& bench, const TuneConfig& config, const TuneObserver& observer,
                                        std::optional<double> seconds = std::nullopt);

}  // namespace lapis
