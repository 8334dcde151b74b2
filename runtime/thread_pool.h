// A pool for one job at a time, split the same way every time: part t of n. Threads meet at a spinning barrier between steps, and sleep
// between jobs.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"

namespace lapis {

// All `count` participants leave wait() only after all have entered it. Spins briefly, then yields: safe when cores are fewer than threads.
class SpinBarrier {
 public:
  explicit SpinBarrier(int count) : count_(count) {}
  void wait();

 private:
  const int count_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint64_t> generation_{0};
};

// A number that differs between a process and the children it forks, in which the threads of the parent do not exist.
uint64_t process_generation();

class ThreadPool {
 public:
  // The caller is thread 0; threads - 1 more are started, or none stays and the Resource that is missing is named. They take no
  // signals, which belong to the program's own threads.
  static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()); }
  // Runs job(t) for every t in [0, size()), on the caller too; returns when all are done. Not reentrant.
  void run(const std::function<void(int)>& job);
  SpinBarrier& barrier() { return barrier_; }  // for use inside a job, by all threads
  // True in a process forked from the one that made the pool: its threads do not exist here.
  bool forked() const { return process_ != process_generation(); }

 private:
  struct Worker {
    ThreadPool* pool;
    int index;
    pthread_t thread;
  };
  explicit ThreadPool(int threads);
  int start();  // 0, or the error number
  void work(int index);

  SpinBarrier barrier_;
  SpinBarrier done_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  const std::function<void(int)>* job_ = nullptr;
  std::vector<Worker> workers_;  // [0] is the caller
  size_t started_ = 1;
  const uint64_t process_ = process_generation();
};

// Cores this process may use (its affinity mask).
int available_cores();

}  // namespace lapis
