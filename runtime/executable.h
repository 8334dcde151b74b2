// Executable: a compiled model, ready to run; immutable, shared by any number of Sessions on any threads.
// Session: what one caller needs to run it: an arena and threads. Not thread safe; make one per thread.
//
//   LAPIS_TRY(auto executable, Executable::load("resnet50.lapis"));
//   LAPIS_TRY(auto session, executable.session({.threads = 4}));
//   LAPIS_TRY(auto outputs, session.run({image}));          // in the order of executable.program().outputs
#pragma once

#include "base/file.h"
#include "base/target.h"
#include "runtime/memory.h"
#include "runtime/program.h"
#include "runtime/thread_pool.h"

namespace lapis {

struct SessionOptions {
  int threads = 1;       // 0: one per available core
  bool profile = false;  // measure every step (a clock read per step)
};

class Session;

class Executable {
 public:
  // Refuses code for a machine this host is not (ErrorKind::Target).
  static Result<Executable> from(Program program);
  static Result<Executable> load(const Path& artifact);

  const Program& program() const { return *program_; }
  Result<Session> session(const SessionOptions& options = {}) const;
  void write_perf_map() const;

 private:
  friend class Session;
  std::shared_ptr<const Program> program_;
  CodeMemory code_;
};

class Session {
 public:
  // Tensors in the order of the model's inputs; dtype and shape are checked, all findings at once (ErrorKind::Mismatch).
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs);
  // Zero copy: `io` points to the inputs, then to the outputs; sizes as Program says, aligned to their element type.
  Status run(void* const* io);

  const Program& program() const { return *executable_.program_; }
  int threads() const { return pool_->size(); }
  // Nanoseconds of each step, summed over the profiled runs; empty unless SessionOptions::profile.
  const std::vector<double>& step_nanoseconds() const { return profile_; }
  int64_t runs() const { return runs_; }
  void reset_profile();

 private:
  friend class Executable;
  Session(Executable executable, const SessionOptions& options);
  void execute(const abi::Frame& frame, int thread);

  Executable executable_;
  std::shared_ptr<std::byte> arena_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<abi::StepFn> functions_;
  std::vector<double> profile_;
  int64_t runs_ = 0;
};

// Findings about inputs that do not fit: count, dtype, shape.
Diagnostics check_inputs(const Program& program, const std::vector<Tensor>& inputs);

}  // namespace lapis
