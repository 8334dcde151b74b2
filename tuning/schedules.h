// Schedules by measurement: every row of the kernel table that fits a contraction computes it in the model, on this
// host, and the fastest goes into the schedules. Rows are timed in turn in every round, so that a changing clock or a
// busy core hurts all alike.
//
//   LAPIS_TRY(const ScheduleTrials trials, measure_schedules(*graph, random_inputs, {.threads = 2}));
//   std::string file = codegen::to_text(trials.best());
#pragma once

#include <functional>

#include "driver/compile.h"

namespace lapis {

struct MeasureOptions {
  CompileOptions compile;  // its schedules stay as they are
  int threads = 1;
  int rounds = 15;
  bool libraries = true;  // rows that no artifact and no object can hold are candidates too
  std::function<void(int done, int all)> progress;
};

struct ScheduleTrial {
  Schedule schedule;
  double microseconds = 0;  // the least of all rounds
};

// The schedules of a contraction that were tried, in the order of the table; the first is the cost model's.
struct ContractionTrials {
  std::string name;  // in the plan
  std::vector<ScheduleTrial> tried;

  // Another row than the cost model's has to gain two percent.
  const ScheduleTrial& best() const;
};

struct ScheduleTrials {
  std::vector<ContractionTrials> contractions;  // in the order of the plan

  codegen::Schedules best() const;
};

// `inputs_for` makes the tensors that all candidates run on.
using InputsFor = std::function<Result<std::vector<Tensor>>(const std::vector<IoInfo>& inputs)>;
Result<ScheduleTrials> measure_schedules(const Graph& graph, const InputsFor& inputs_for,
                                         const MeasureOptions& options = {});

}  // namespace lapis
