// Walks through the steps of a program: code, calls and control flow. One thread decides and calls; code between two
// decisions is handed on, to be done by many threads.
//
//   Interpreter({program, frame, run_code}).run()
#pragma once

#include <functional>
#include <span>

#include "base/result.h"
#include "runtime/program.h"

namespace lapis {

// Steps of code without a decision between them.
struct Segment {
  size_t first = 0, end = 0;
};
// The segments of a program by their first step; empty where none begins.
std::vector<Segment> segments_of(std::span<const StepInfo> steps);

class Interpreter {
 public:
  using RunCode = std::function<Status(const Segment&)>;
  // What calls take is added to `profile`, nanoseconds by step, if it is not empty.
  Interpreter(const Program& program, std::span<const Segment> segments, const abi::Frame& frame, RunCode run_code,
              std::span<double> profile)
      : steps_(program.steps), segments_(segments), frame_(frame), run_code_(std::move(run_code)), profile_(profile) {}

  // Errors: those of host functions, and of code.
  Status run() { return steps(0, steps_.size()); }

 private:
  Status steps(size_t first, size_t end);
  Status act(size_t step, const std::monostate&);
  Status act(size_t step, const CallInfo& call);
  Status act(size_t step, const BranchInfo& branch);
  Status act(size_t step, const RepeatInfo& repeat);
  Diagnostic miscounted(size_t step, const std::string& iterations, int64_t declared) const;
  Status call_host(size_t step, const CallInfo& call);
  std::byte* address(const Place& place) const;
  bool holds(const Place& condition) const { return *address(condition) != std::byte{0}; }

  const std::span<const StepInfo> steps_;
  const std::span<const Segment> segments_;
  const abi::Frame& frame_;
  const RunCode run_code_;
  const std::span<double> profile_;
  size_t next_ = 0;  // the step behind the one that was done
};

}  // namespace lapis
