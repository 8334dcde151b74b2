// A pool for one job at a time, split the same way every time: part t of n. Threads meet at a spinning barrier between steps, and sleep
// between jobs.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

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

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // the caller is thread 0; threads - 1 more are started
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  // Runs job(t) for every t in [0, size()), on the caller too; returns when all are done. Not reentrant.
  void run(const std::function<void(int)>& job);
  SpinBarrier& barrier() { return barrier_; }  // for use inside a job, by all threads

 private:
  void work(int index);
  SpinBarrier barrier_;
  SpinBarrier done_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  const std::function<void(int)>* job_ = nullptr;
  std::vector<std::thread> workers_;
};

// Cores this process may use (its affinity mask).
int available_cores();

}  // namespace lapis
