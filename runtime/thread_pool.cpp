#include "runtime/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>

#include "runtime/spin_barrier.h"

namespace lapis {
namespace {

// Generated code keeps tensors in the arena, not on the stack;
// the default of 8 MB a thread would only fill address space.
constexpr size_t kStackBytes = 1 << 20;

// One call of parallel(), on the stack of its caller.
struct Job {
  const v1::Executor::Work& work;
  int count = 1;
  std::atomic<int> running{0};  // parts of other threads that are not done
};

// A thread and what it is told. Its caller writes `job` and `part` before `called`.
struct alignas(64) Worker {
  enum Call : int { None, Begin, Stop };
  std::atomic<int> called{None};
  Job* job = nullptr;
  int part = 0;
  Worker* next = nullptr;  // in the team of its job
  bool busy = false;       // guarded by the mutex of Workers
  pthread_t thread{};

  void call(Call what) {
    called.store(what, std::memory_order_release);
    called.notify_one();
  }

  void loop() {
    while (await_call() == Begin) {
      Job& mine = *job;
      mine.work(part, mine.count);
      mine.running.fetch_sub(1, std::memory_order_release);  // from here on the job may be gone
    }
  }

 private:
  int await_call() {
    for (int spins = 0; called.load(std::memory_order_acquire) == None && spins < kSpinsBeforeYield; ++spins)
      _mm_pause();
    called.wait(None, std::memory_order_acquire);
    return called.exchange(None, std::memory_order_relaxed);
  }
};

}  // namespace

// The threads of one process. Those of the parent of a forked child are kept there until the pool goes, untouched.
class ThreadPool::Workers {
 public:
  ~Workers() {
    if (!here()) return;
    for (Worker& w : workers_) w.call(Worker::Stop);
    for (Worker& w : workers_) pthread_join(w.thread, nullptr);
  }

  bool here() const { return process_ == process_generation(); }
  int count() const { return static_cast<int>(workers_.size()); }

  // Starts threads until there are `count`; 0, or the number of the error that ended it before.
  int start(int count) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_t attributes;
    if (const int code = pthread_attr_init(&attributes)) return code;
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = 0;
    while (code == 0 && this->count() < count) code = start_one(attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return code;
  }

  void parallel(int most, const Work& work) {
    Job job{work};
    Worker* const team = claim(most, job);
    for (Worker* w = team; w; w = w->next) w->call(Worker::Begin);
    work(0, job.count);
    for (int spins = 0; job.running.load(std::memory_order_acquire) != 0;) relax(spins);
    if (team) release(team);
  }

  Workers* inherited = nullptr;  // of the parent process

 private:
  int start_one(const pthread_attr_t& attributes) {
    const auto entry = [](void* worker) -> void* {
      static_cast<Worker*>(worker)->loop();
      return nullptr;
    };
    Worker& worker = workers_.emplace_back();
    const int code = pthread_create(&worker.thread, &attributes, entry, &worker);
    if (code != 0) workers_.pop_back();
    return code;
  }

  // Idle threads for parts 1 and up, the first ones first.
  Worker* claim(int most, Job& job) {
    Worker* team = nullptr;
    const std::lock_guard lock(mutex_);
    for (Worker& w : workers_) {
      if (job.count >= most) break;
      if (w.busy) continue;
      w.busy = true;
      w.job = &job;
      w.part = job.count++;
      w.next = std::exchange(team, &w);
    }
    job.running.store(job.count - 1, std::memory_order_relaxed);
    return team;
  }

  void release(Worker* team) {
    const std::lock_guard lock(mutex_);
    for (; team; team = team->next) team->busy = false;
  }

  const uint64_t process_ = process_generation();
  std::mutex mutex_;
  std::deque<Worker> workers_;
};

ThreadPool::ThreadPool(int threads, std::unique_ptr<Workers> workers)
    : threads_(threads), workers_(workers.release()) {}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  if (threads < 0 || threads > kMostThreads)
    return error(ErrorKind::Usage, "cannot run on " + std::to_string(threads) + " threads")
        .help("0 means one per available core");
  if (threads == 0) threads = available_cores();
  auto workers = std::make_unique<Workers>();
  if (const int code = workers->start(threads - 1))
    return error(ErrorKind::Resource, "cannot start " + std::to_string(threads) +
                                          " threads: the system refused number " +
                                          std::to_string(workers->count() + 2) + ": " + std::strerror(code))
        .help("use fewer threads, or raise the limits of this process (ulimit -u, ulimit -v)");
  return std::unique_ptr<ThreadPool>(new ThreadPool(threads, std::move(workers)));
}

ThreadPool::~ThreadPool() {
  for (Workers* workers = workers_.load(); workers;) delete std::exchange(workers, workers->inherited);
}

// No lock that a thread of the parent may have held when it forked is touched in the child.
ThreadPool::Workers* ThreadPool::workers_of_this_process() {
  Workers* present = workers_.load(std::memory_order_acquire);
  if (present->here()) return present;
  auto fresh = std::make_unique<Workers>();
  fresh->start(threads_ - 1);
  fresh->inherited = present;
  return workers_.compare_exchange_strong(present, fresh.get(), std::memory_order_acq_rel) ? fresh.release() : present;
}

void ThreadPool::parallel(int most, const Work& work) {
  if (most <= 1 || threads_ == 1) return work(0, 1);
  workers_of_this_process()->parallel(most, work);
}

uint64_t process_generation() {
  static std::atomic<uint64_t> generation{1};
  static const int registered = pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

}  // namespace lapis
