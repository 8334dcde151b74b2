// Executable: a compiled model, ready to run; immutable, shared by any number of Sessions on any threads.
// Session: what one caller needs to run it: an arena and threads, its own or an Executor's. Make one per thread: a
// session that is running refuses a second run.
//
//   LAPIS_TRY(auto executable, Executable::load("resnet50.lapis"));
//   LAPIS_TRY(auto session, executable.session({.threads = 4}));
//   LAPIS_TRY(auto outputs, session.run({image}));          // in the order of executable.program().outputs
#pragma once

#include <mutex>
#include <optional>

#include "base/file.h"
#include "base/target.h"
#include "lapis/executor.h"
#include "runtime/artifact.h"
#include "runtime/interpreter.h"
#include "runtime/memory.h"
#include "runtime/occupancy.h"
#include "runtime/program.h"
#include "runtime/run.h"

namespace lapis {

struct SessionOptions {
  // The most that a run uses; 0: one per available core, or all of the executor's. Absent: 1, or all of the executor's.
  std::optional<int> threads = std::nullopt;
  bool profile = false;                              // measure every step (a clock read per step)
  std::shared_ptr<v1::Executor> executor = nullptr;  // whose threads do the work; without one the session has its own
  std::shared_ptr<Arena> arena = nullptr;  // of sessions that never run at the same time; without one it has its own
};

// The options with an executor and a number of threads, whatever was left open: for sessions that share both.
Result<SessionOptions> with_threads(SessionOptions options);

class Session;

// Of sessions: one that is in use already.
Diagnostic session_is_running();

class Executable {
 public:
  // Refuses code for a machine this host is not (ErrorKind::Target) and sizes that
  // no memory can hold (ErrorKind::Resource).
  static Result<Executable> from(Program program);
  static Result<Executable> load(const Path& artifact, const LoadOptions& options = {});

  const Program& program() const { return *program_; }
  Result<Session> session(const SessionOptions& options = {}) const;
  void write_perf_map() const;

 private:
  friend class Session;
  // The sums of the constants are compared once, by the first run of any session.
  struct Verification {
    std::once_flag once;
    Diagnostics findings;
  };
  Status verify() const;

  std::shared_ptr<const Program> program_;
  std::shared_ptr<Verification> verification_;
  CodeMemory code_;
};

class Session {
 public:
  // Tensors in the order of the model's inputs; dtype and shape are checked,
  // all findings at once (ErrorKind::Mismatch).
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs);
  // Zero copy: `io` points to the inputs, then to the outputs; sizes as Program says.
  // Refuses null, misaligned and overlapping buffers.
  Status run(void* const* io);

  const Program& program() const { return *executable_.program_; }
  int threads() const;  // the most that a run would use now
  // Nanoseconds of each step, summed over the profiled runs; empty unless SessionOptions::profile.
  const std::vector<double>& step_nanoseconds() const { return profile_; }
  int64_t runs() const { return runs_; }
  void reset_profile();

 private:
  friend class Executable;
  struct Extent {
    int64_t bytes, alignment;
  };
  Session(Executable executable, std::shared_ptr<std::byte> arena, const SessionOptions& options);
  Status run_alone(void* const* io);
  Status run_segment(const Segment& segment);
  abi::Frame frame(void* const* io);
  void build_blocks();
  void place_io(void* const* io);
  Diagnostics check_buffers(void* const* io) const;

  Executable executable_;
  std::shared_ptr<std::byte> arena_;
  std::unique_ptr<Occupancy> occupancy_;
  std::vector<Extent> io_;  // inputs, then outputs
  std::shared_ptr<v1::Executor> executor_;
  int most_threads_;
  // The blocks of all steps, and the words of them that follow the caller's buffers.
  struct IoWord {
    size_t word;
    const abi::Argument* argument;
  };
  std::vector<uint64_t> words_;
  std::vector<IoWord> io_words_;
  std::vector<StepCall> calls_;
  std::vector<Segment> segments_;
  std::vector<Phases> phases_;  // of segments, by first step
  std::vector<double> profile_;
  std::unique_ptr<int32_t> status_;  // an abi::Fault
  int64_t runs_ = 0;
};

// Findings about inputs that do not fit: count, dtype, shape.
Diagnostics check_inputs(const Program& program, const std::vector<Tensor>& inputs);

}  // namespace lapis
