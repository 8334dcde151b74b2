// One run of a program's steps on the threads of an Executor.
//
//   const Phases phases(program.steps);                      // once
//   LAPIS_CHECK(Run{calls, program.steps, phases, profile}.on(executor, 4));
//
// A phase is at most one step that is divided, then steps of one work unit, which one thread does:
// they need no barrier between them.
#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "base/result.h"
#include "lapis/executor.h"
#include "runtime/program.h"
#include "runtime/spin_barrier.h"

namespace lapis {

// Steps [divided, alone) are divided over the threads, one or none; steps [alone, end) belong to one thread.
struct Phase {
  size_t divided, alone, end;
};

class Phases {
 public:
  Phases() = default;
  explicit Phases(std::span<const StepInfo> steps);

  std::span<const Phase> all() const { return phases_; }
  int64_t most_parts() const { return most_parts_; }  // more threads than this are of no use

 private:
  std::vector<Phase> phases_;  // only the first can be without a divided step
  int64_t most_parts_ = 1;
};

// The code of a step and its block of arguments.
struct StepCall {
  abi::StepFn function = nullptr;
  const uint64_t* block = nullptr;
  void operator()(int64_t begin, int64_t end) const { function(block, begin, end); }
};

class Run {
 public:
  // profile: nanoseconds of each step, to be added to; or empty.
  Run(std::span<const StepCall> calls, std::span<const StepInfo> steps, const Phases& phases, std::span<double> profile)
      : calls_(calls), steps_(steps), phases_(phases), profile_(profile) {}

  // On at most `threads` of the executor's. Errors: ErrorKind::Usage if it breaks its contract.
  Status on(v1::Executor& executor, int threads);

 private:
  using Clock = std::chrono::steady_clock;
  void divided(const Phase& phase, int index, int count);
  void alone(const Phase& phase);
  void lap(size_t step);
  Status all_at_once(v1::Executor& executor, int threads, std::span<const Phase> phases);
  Status phase_by_phase(v1::Executor& executor, int threads, std::span<const Phase> phases);

  const std::span<const StepCall> calls_;
  const std::span<const StepInfo> steps_;
  const Phases& phases_;
  const std::span<double> profile_;
  Clock::time_point last_lap_;  // when the step before ended; by one thread at a time
};

}  // namespace lapis
