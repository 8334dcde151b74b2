// Lapis' own Executor: threads that sleep between runs, shared by any number of sessions.
//
//   LAPIS_TRY(std::shared_ptr<ThreadPool> pool, ThreadPool::create(4));
//   LAPIS_TRY(auto a, executable.session({.executor = pool}));
//   LAPIS_TRY(auto b, other.session({.threads = 2, .executor = pool}));   // at most two of them
#pragma once

#include <atomic>
#include <memory>

#include "base/result.h"
#include "lapis/executor.h"

namespace lapis {

inline constexpr int kMostThreads = 1024;

// A number that differs between a process and the children it forks, in which the threads of the parent do not exist.
uint64_t process_generation();

class ThreadPool final : public v1::Executor {
 public:
  // The calling thread of each run is one of `threads`; the others are started now, or none stays and the Resource that
  // is missing is named. They take no signals, which belong to the program's own threads. 0: one per available core.
  static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;

  int threads() const override { return threads_; }
  bool concurrent() const override { return true; }
  // The caller does part 0; threads that are idle do the others, the same thread the same part as long as all are. It
  // never waits for a thread that is busy with other work: if all are, as in a run inside of a run, the caller does
  // everything. The first call in a forked child starts threads there, as many as the system gives.
  void parallel(int most, const Work& work) override;

 private:
  class Workers;
  ThreadPool(int threads, std::unique_ptr<Workers> workers);
  Workers* workers_of_this_process();

  const int threads_;
  std::atomic<Workers*> workers_;  // owned; in a forked child the latest of a list
};

// Cores this process may use (its affinity mask).
int available_cores();

}  // namespace lapis
