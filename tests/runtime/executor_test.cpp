// Sessions on executors: the caller's threads, and pools that sessions share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "runtime/executable.h"
#include "runtime/thread_pool.h"
#include "tests/runtime/executors.h"
#include "tests/runtime/sample_program.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

using Bytes = std::array<uint8_t, testing::kSampleSize>;

Executable mixed() { return *Executable::from(testing::mixed_program()); }

Session session_on(const Executable& executable, std::shared_ptr<v1::Executor> executor,
                   std::optional<int> threads = {}) {
  return *executable.session({.threads = threads, .executor = std::move(executor)});
}

// Whether a run with another input than the last gives what it should.
bool right(Session& session, int round) {
  Bytes x = testing::sample_input(), y{};
  x[static_cast<size_t>(round) % x.size()] ^= 0x5A;
  void* io[] = {x.data(), y.data()};
  return session.run(io).ok() && y == testing::mixed_result(x);
}

TEST(SessionOnExecutor, GivesTheSameOnEveryOne) {
  const Executable executable = mixed();
  for (int threads = 1; threads <= 4; ++threads)
    for (const auto& executor : testing::test_executors(threads)) {
      Session session = session_on(executable, executor);
      EXPECT_EQ(session.threads(), threads);
      for (int round = 0; round < 20; ++round) EXPECT_TRUE(right(session, round)) << executor->name();
      const int calls = threads == 1 ? 0 : executor->concurrent() ? 1 : 3;  // a run, or a divided step
      EXPECT_EQ(executor->calls, 20 * calls) << executor->name();
    }
}

size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(SessionOnExecutor, StartsNoThreads) {
  const size_t before = threads_of_process();
  Session session = session_on(mixed(), std::make_shared<testing::Backwards>(8));
  EXPECT_TRUE(right(session, 0));
  EXPECT_EQ(threads_of_process(), before);
  std::vector<Session> sessions;
  const std::shared_ptr<ThreadPool> pool = *ThreadPool::create(3);
  for (int i = 0; i < 5; ++i) sessions.push_back(session_on(mixed(), pool));
  EXPECT_EQ(threads_of_process(), before + 2);
}

TEST(SessionOnExecutor, UsesNoMoreThreadsThanItMay) {
  const Executable executable = mixed();
  const auto executor = std::make_shared<testing::Backwards>(6);
  for (const auto& [asked, used] : {std::pair(std::optional<int>(), 6), {0, 6}, {1, 1}, {4, 4}, {6, 6}, {900, 6}})
    EXPECT_EQ(session_on(executable, executor, asked).threads(), used);
  for (const int none : {0, -5})
    EXPECT_EQ(session_on(executable, std::make_shared<testing::Backwards>(none)).threads(), 1);
  EXPECT_FALSE(executable.session({.threads = -1, .executor = executor}).ok());
}

TEST(SessionOnExecutor, ReportsOnesThatBreakTheirContract) {
  class DoesNothing final : public v1::Executor {
    int threads() const override { return 2; }
    void parallel(int, const Work&) override {}
  };
  Session session = session_on(mixed(), std::make_shared<DoesNothing>());
  EXPECT_FALSE(right(session, 0));
  EXPECT_FALSE(right(session, 1)) << "the session is not occupied by the run that failed";
  EXPECT_EQ(session.runs(), 0);
}

TEST(SessionOnExecutor, OutlivesWhatItWasMadeFrom) {
  Session session = [] { return session_on(mixed(), *ThreadPool::create(3)); }();
  EXPECT_TRUE(right(session, 0));
}

TEST(SharedPool, ServesSessionsAtOnce) {
  const Executable executable = mixed();
  const std::shared_ptr<ThreadPool> pool = *ThreadPool::create(4);
  std::vector<std::thread> callers;
  for (int threads = 1; threads <= 5; ++threads)
    callers.emplace_back([&, threads] {
      Session session = session_on(executable, pool, threads);
      for (int round = 0; round < 200; ++round) EXPECT_TRUE(right(session, round));
    });
  for (std::thread& t : callers) t.join();
}

TEST(SharedPool, ServesSessionsInsideOfItsOwnWork) {
  const Executable executable = mixed();
  const std::shared_ptr<ThreadPool> pool = *ThreadPool::create(3);
  for (int job = 0; job < 20; ++job)
    pool->parallel(3, [&](int index, int) {
      Session session = session_on(executable, pool);
      for (int round = 0; round < 10; ++round) EXPECT_TRUE(right(session, round)) << "part " << index;
    });
}

template <class Test> bool in_child(Test&& test) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(test() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(SharedPool, StartsThreadsInAForkedChild) {
  if (testing::kThreadSanitized) GTEST_SKIP() << "the thread sanitizer has no threads after a fork";
  std::shared_ptr<ThreadPool> pool = *ThreadPool::create(3);
  Session a = session_on(mixed(), pool), b = session_on(mixed(), pool);
  EXPECT_TRUE(right(a, 0));
  const auto works = [&] {
    std::thread other([&] { EXPECT_TRUE(right(a, 1)); });
    const bool result = right(b, 2) && right(b, 3);
    other.join();
    return result && right(a, 4) && threads_of_process() == 3;
  };
  EXPECT_TRUE(in_child([&] { return works() && in_child(works); }));
  EXPECT_TRUE(in_child([&] { return pool = nullptr, right(a, 5); }));
  EXPECT_TRUE(right(b, 6));
}

// A pool at work in another thread when the process forks: nothing of it may be waited for in the child.
TEST(SharedPool, IsUsableInAChildForkedDuringARun) {
  if (testing::kThreadSanitized) GTEST_SKIP() << "the thread sanitizer has no threads after a fork";
  const std::shared_ptr<ThreadPool> pool = *ThreadPool::create(2);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) pool->parallel(2, [](int, int) {});
  });
  Session session = session_on(mixed(), pool);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(in_child([&] { return right(session, i); }));
  stop = true;
  busy.join();
}

}  // namespace
}  // namespace lapis
