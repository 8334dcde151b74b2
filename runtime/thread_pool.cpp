#include "runtime/thread_pool.h"

#include <immintrin.h>
#include <sched.h>

namespace lapis {

constexpr int kSpinsBeforeYield = 2000;  // about 20 us: longer than any imbalance between well-split parts

static void relax(int& spins) {
  if (++spins < kSpinsBeforeYield)
    _mm_pause();
  else
    std::this_thread::yield();
}

void SpinBarrier::wait() {
  const uint64_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation;) relax(spins);
}

ThreadPool::ThreadPool(int threads) : barrier_(threads), done_(threads) {
  for (int t = 1; t < threads; ++t) workers_.emplace_back([this, t] { work(t); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(const std::function<void(int)>& job) {
  if (workers_.empty()) return job(0);
  job_ = &job;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  job(0);
  done_.wait();
}

void ThreadPool::work(int index) {
  uint64_t seen = 0;
  while (true) {
    for (int spins = 0; generation_.load(std::memory_order_acquire) == seen && spins < kSpinsBeforeYield; ++spins)
      _mm_pause();
    generation_.wait(seen, std::memory_order_acquire);
    ++seen;
    if (stop_.load(std::memory_order_relaxed)) return;
    (*job_)(index);
    done_.wait();
  }
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

}  // namespace lapis
