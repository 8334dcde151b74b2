#include "runtime/thread_pool.h"

#include <immintrin.h>
#include <sched.h>

#include <csignal>
#include <cstring>
#include <thread>

namespace lapis {

// Generated code keeps tensors in the arena, not on the stack; the default of 8 MB a thread would only fill address space.
constexpr size_t kStackBytes = 1 << 20;
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
  for (int t = 0; t < threads; ++t) workers_.push_back({this, t, {}});
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  std::unique_ptr<ThreadPool> pool(new ThreadPool(threads));
  if (const int code = pool->start())  // the destructor ends those that were started
    return error(ErrorKind::Resource, "cannot start " + std::to_string(threads) +
                                          " threads: the system refused number " + std::to_string(pool->started_ + 1) +
                                          ": " + std::strerror(code))
        .help("use fewer threads, or raise the limits of this process (ulimit -u, ulimit -v)");
  return pool;
}

int ThreadPool::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_t attributes;
  if (const int code = pthread_attr_init(&attributes)) return code;
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = 0;
  for (; started_ < workers_.size() && code == 0; started_ += code == 0) {
    const auto entry = [](void* worker) -> void* {
      auto* w = static_cast<Worker*>(worker);
      w->pool->work(w->index);
      return nullptr;
    };
    code = pthread_create(&workers_[started_].thread, &attributes, entry, &workers_[started_]);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return code;
}

ThreadPool::~ThreadPool() {
  if (forked()) return;
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (size_t t = 1; t < started_; ++t) pthread_join(workers_[t].thread, nullptr);
}

uint64_t process_generation() {
  static std::atomic<uint64_t> generation{1};
  static const int registered = pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

void ThreadPool::run(const std::function<void(int)>& job) {
  if (workers_.size() == 1) return job(0);
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
