// The steps of compiled code, each with its time.
#pragma once

#include "tools/lapis/options.h"

namespace lapis::cli {

struct MeasuredStep {
  const StepInfo* info;  // of the runner's program
  size_t number = 0;
  double microseconds = 0;  // median
};

// Over so many runs on fixed pseudo-random inputs, after three that warm up.
// The runner has generated code, and was opened with `profile`.
Result<std::vector<MeasuredStep>> measured_steps(Runner& runner, int runs);

}  // namespace lapis::cli
