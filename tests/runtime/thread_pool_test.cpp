#include "runtime/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "runtime/spin_barrier.h"

namespace lapis {
namespace {

class Pool : public ::testing::TestWithParam<int> {
 protected:
  const int threads_ = GetParam();
};

TEST_P(Pool, RunsEveryPartOnceOnTheSameThread) {
  const auto pool = *ThreadPool::create(threads_);
  ASSERT_EQ(pool->threads(), threads_);
  std::vector<std::thread::id> ids(static_cast<size_t>(threads_));
  std::vector<int> counts(ids.size(), 0);
  for (int job = 0; job < 2000; ++job) {
    pool->parallel(threads_, [&](int index, int count) {
      EXPECT_EQ(count, threads_);
      const auto part = static_cast<size_t>(index);
      if (job == 0) ids[part] = std::this_thread::get_id();
      counts[part] += ids[part] == std::this_thread::get_id();
    });
    ASSERT_EQ(counts, std::vector<int>(ids.size(), job + 1));  // all done when parallel() returns
  }
  EXPECT_EQ(ids[0], std::this_thread::get_id());
}

TEST_P(Pool, GivesNoMoreThanAskedFor) {
  const auto pool = *ThreadPool::create(threads_);
  for (int most = 1; most <= 10; ++most) {
    std::atomic<int> parts{0};
    pool->parallel(most, [&](int, int count) {
      EXPECT_EQ(count, std::min(most, threads_));
      ++parts;
    });
    EXPECT_EQ(parts, std::min(most, threads_));
  }
}

TEST_P(Pool, BarrierSeparatesPhases) {
  const auto pool = *ThreadPool::create(threads_);
  std::vector<int> values(static_cast<size_t>(threads_), 0);
  std::atomic<int> wrong{0};
  SpinBarrier barrier;
  int sum = 0;
  pool->parallel(threads_, [&](int index, int count) {
    for (int phase = 1; phase <= 300; ++phase) {
      values[static_cast<size_t>(index)] = phase;
      barrier.wait(count, [&] { sum = std::accumulate(values.begin(), values.end(), 0); });
      wrong += sum != phase * threads_;
      barrier.wait(count, [] {});
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST_P(Pool, StopsWhileIdleAwakeOrAsleep) {
  for (int i = 0; i < 50; ++i) {
    const auto never_used = *ThreadPool::create(threads_);
    const auto used = *ThreadPool::create(threads_);
    used->parallel(threads_, [](int, int) {});
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // long enough to fall asleep
  }
}

TEST_P(Pool, WakesUpAfterSleep) {
  const auto pool = *ThreadPool::create(threads_);
  std::atomic<int> runs{0};
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool->parallel(threads_, [&](int, int) { ++runs; });
  }
  EXPECT_EQ(runs, 5 * threads_);
}

// A call inside of a part finds the threads that the outer one left; if there are none, its caller does all.
TEST_P(Pool, MayBeUsedInsideOfItsOwnWork) {
  const auto pool = *ThreadPool::create(threads_);
  std::atomic<int> inner{0}, outer{0};
  pool->parallel(threads_, [&](int, int count) {
    outer += count == threads_;
    pool->parallel(threads_, [&](int index, int parts) { inner += index == 0 && parts == 1; });
  });
  EXPECT_EQ(outer, threads_);
  EXPECT_EQ(inner, threads_) << "no thread was left";
  std::atomic<int> idle{0};
  pool->parallel(2, [&](int index, int) {
    if (index == 0) pool->parallel(threads_, [&](int, int) { ++idle; });
  });
  EXPECT_EQ(idle, std::max(1, threads_ - 1));
}

TEST_P(Pool, ServesManyCallersAtOnce) {
  const auto pool = *ThreadPool::create(threads_);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      std::vector<int64_t> done(static_cast<size_t>(threads_), 0);  // each part its own, without atomics
      SpinBarrier barrier;
      for (int job = 0; job < 300; ++job) {
        std::fill(done.begin(), done.end(), 0);
        pool->parallel(threads_, [&](int index, int count) {
          done[static_cast<size_t>(index)] = 1;
          barrier.wait(count, [&] { EXPECT_EQ(std::accumulate(done.begin(), done.end(), int64_t{0}), count); });
        });
      }
    });
  for (std::thread& t : callers) t.join();
}

INSTANTIATE_TEST_SUITE_P(Threads, Pool, ::testing::Values(1, 2, 3, 4, 8));

TEST(ThreadPool, RefusesNumbersThatCannotBe) {
  for (const int threads : {-1, kMostThreads + 1}) {
    const auto pool = ThreadPool::create(threads);
    ASSERT_FALSE(pool.ok());
    EXPECT_EQ(pool.diagnostics()[0].kind, ErrorKind::Usage);
  }
  EXPECT_EQ((*ThreadPool::create(0))->threads(), available_cores());
}

TEST(AvailableCores, IsWhatTheProcessMayUse) {
  EXPECT_GE(available_cores(), 1);
  EXPECT_LE(available_cores(), static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
}

}  // namespace
}  // namespace lapis
