// Samples of a model's inputs, by number: what passes calibrate with, as often as they need to.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ir/evaluate.h"

namespace lapis {

// Sample `index` from 0 on, nullopt behind the last one, or why it cannot be had.
using SampleSource = std::function<Result<std::optional<Feeds>>(int64_t index)>;
SampleSource samples_of(std::vector<Feeds> feeds);

}  // namespace lapis
