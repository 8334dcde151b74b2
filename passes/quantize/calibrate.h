// Calibration: run a float model over samples and remember how the values to be quantized are distributed.
//
//   LAPIS_TRY(Calibration c, calibrate(graph, {"x", "relu_3"}, *reference_evaluator(), samples_of(feeds), {}));
//   Range r = c.range("relu_3", {.method = RangeMethod::Percentile, .percentile = 99.999});
//
// Memory is constant per value (2048 bins), however many samples there are; one run serves every method (ranges.h).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/evaluate.h"
#include "passes/quantize/ranges.h"
#include "passes/samples.h"

namespace lapis {

using Ranges = std::map<std::string, Range>;  // by value name

struct CalibrateOptions {
  int64_t samples = 100;                                   // at most; fewer if the source ends earlier
  std::function<void(int64_t done, int64_t of)> progress;  // after each sample; may be empty
};

struct Calibration {
  std::map<std::string, Observed> values;  // by name
  int64_t samples = 0;
  Diagnostics warnings;  // values that were NaN or infinite in some sample

  Range range(const std::string& value, const RangeOptions& options, const Scheme& scheme = NodeRecipe().data) const;
};

// Distributions of the named values of `graph` (inputs and float outputs of nodes). Samples must match the model's
// inputs; symbolic dimensions take the sample's extents. Fails if a sample does not fit, if there is none, or if a
// value was never finite.
Result<Calibration> calibrate(const Graph& graph, const std::vector<std::string>& values, Evaluator& evaluator,
                              const SampleSource& source, const CalibrateOptions& options = {});

}  // namespace lapis
