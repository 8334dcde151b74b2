#include "runtime/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace lapis {
namespace {

class Pool : public ::testing::TestWithParam<int> {};

TEST_P(Pool, RunsEveryPartOnceOnTheSameThread) {
  const int threads = GetParam();
  const auto pool = *ThreadPool::create(threads);
  ASSERT_EQ(pool->size(), threads);
  std::vector<std::thread::id> ids(static_cast<size_t>(threads));
  std::vector<int> counts(ids.size(), 0);
  for (int job = 0; job < 2000; ++job) {
    pool->run([&](int t) {
      const auto part = static_cast<size_t>(t);
      if (job == 0) ids[part] = std::this_thread::get_id();
      counts[part] += ids[part] == std::this_thread::get_id();
    });
    ASSERT_EQ(counts, std::vector<int>(ids.size(), job + 1));  // all done when run returns
  }
  EXPECT_EQ(ids[0], std::this_thread::get_id());
}

TEST_P(Pool, BarrierSeparatesPhases) {
  const int threads = GetParam();
  const auto pool = *ThreadPool::create(threads);
  std::vector<int> values(static_cast<size_t>(threads), 0);
  std::atomic<int> wrong{0};
  pool->run([&](int t) {
    for (int phase = 1; phase <= 300; ++phase) {
      values[static_cast<size_t>(t)] = phase;
      pool->barrier().wait();
      wrong += std::accumulate(values.begin(), values.end(), 0) != phase * threads;
      pool->barrier().wait();
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST_P(Pool, StopsWhileIdleAwakeOrAsleep) {
  for (int i = 0; i < 50; ++i) {
    const auto never_used = *ThreadPool::create(GetParam());
    const auto used = *ThreadPool::create(GetParam());
    used->run([](int) {});
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // long enough to fall asleep
  }
}

TEST_P(Pool, WakesUpAfterSleep) {
  const auto pool = *ThreadPool::create(GetParam());
  std::atomic<int> runs{0};
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool->run([&](int) { ++runs; });
  }
  EXPECT_EQ(runs, 5 * GetParam());
}

INSTANTIATE_TEST_SUITE_P(Threads, Pool, ::testing::Values(1, 2, 3, 4, 8));

TEST(AvailableCores, IsWhatTheProcessMayUse) {
  EXPECT_GE(available_cores(), 1);
  EXPECT_LE(available_cores(), static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
}

}  // namespace
}  // namespace lapis
