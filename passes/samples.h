// Samples of a model's inputs, one after the other: what passes calibrate with.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ir/evaluate.h"

namespace lapis {

// The next sample, nullopt after the last one, or why it cannot be had.
using SampleSource = std::function<Result<std::optional<Feeds>>()>;
SampleSource samples_of(std::vector<Feeds> feeds);

}  // namespace lapis
