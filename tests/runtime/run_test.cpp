// Runs of steps that are C++, so that sanitizers see what they read and write.
#include "runtime/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "runtime/thread_pool.h"
#include "tests/runtime/executors.h"

namespace lapis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kUnits = 37;

// The only word of every block is their address.
int64_t* values_of(const uint64_t* block) { return reinterpret_cast<int64_t*>(block[0]); }

// Unit u becomes a function of what other units wrote in the step before.
void mix(const uint64_t* block, int64_t begin, int64_t end) {
  int64_t* const to = values_of(block);
  const int64_t* const from = to + kUnits;
  for (int64_t u = begin; u < end; ++u) to[u] = 3 * from[kUnits - 1 - u] + u;
}

// One unit that reads and writes everything.
void turn(const uint64_t* block, int64_t, int64_t) {
  int64_t* const to = values_of(block);
  for (int64_t u = 0; u < kUnits; ++u) to[kUnits + u] = to[u] % 1000003 + (u == 0 ? 0 : to[kUnits + u - 1] % 7);
}

struct Steps {
  std::vector<StepInfo> infos;
  std::vector<StepCall> calls;
  void add(abi::StepFn function, int64_t units) {
    infos.emplace_back().units = units;
    calls.push_back({function});
  }
};

// "d": a divided step, "1": one of one unit, "0": one without units.
Steps steps_of(std::string_view kinds) {
  Steps steps;
  for (const char kind : kinds) steps.add(kind == 'd' ? mix : turn, kind == 'd' ? kUnits : kind - '0');
  return steps;
}

struct Outcome {
  Status status = ok();
  std::vector<int64_t> values = std::vector<int64_t>(2 * kUnits);
  std::vector<double> profile;
};

Outcome run(Steps steps, v1::Executor& executor, int threads, bool profiled = false) {
  Outcome outcome;
  std::iota(outcome.values.begin(), outcome.values.end(), 1);
  if (profiled) outcome.profile.assign(steps.infos.size(), 0);
  const auto block = reinterpret_cast<uint64_t>(outcome.values.data());
  for (StepCall& call : steps.calls) call.block = &block;
  const Phases phases(steps.infos);
  outcome.status = Run(steps.calls, steps.infos, phases, outcome.profile).on(executor, threads);
  return outcome;
}

constexpr std::string_view kKinds[] = {"",      "1",     "d",     "111",          "1d",          "d1",
                                       "d1d1d", "dddd1", "11d11", "1d0d111dd1d1", "d1d1d1d1d11", "0d0"};

std::vector<std::array<size_t, 3>> phases_of(std::string_view kinds) {
  const Steps steps = steps_of(kinds);
  std::vector<std::array<size_t, 3>> list;
  const Phases phases(steps.infos);
  for (const Phase& p : phases.all()) list.push_back({p.divided, p.alone, p.end});
  return list;
}

TEST(Phases, BeginAtDividedSteps) {
  using P = std::array<size_t, 3>;
  EXPECT_TRUE(phases_of("").empty());
  EXPECT_THAT(phases_of("111"), ElementsAre(P{0, 0, 3}));
  EXPECT_THAT(phases_of("d1101"), ElementsAre(P{0, 1, 5}));
  EXPECT_THAT(phases_of("1dd1"), ElementsAre(P{0, 0, 1}, P{1, 2, 2}, P{2, 3, 4}));
  EXPECT_EQ(Phases(steps_of("1d1").infos).most_parts(), kUnits);
  EXPECT_EQ(Phases(steps_of("101").infos).most_parts(), 1);
}

TEST(Run, GivesTheSameOnEveryExecutor) {
  for (const std::string_view kinds : kKinds) {
    const Steps steps = steps_of(kinds);
    testing::Backwards one(1);
    const std::vector<int64_t> wanted = run(steps, one, 1).values;
    for (int threads = 1; threads <= 4; ++threads) {
      const std::unique_ptr<ThreadPool> pool = *ThreadPool::create(threads);
      EXPECT_EQ(run(steps, *pool, threads).values, wanted) << kinds << " on " << threads << " threads of a pool";
      for (const auto& executor : testing::test_executors(threads)) {
        const Outcome outcome = run(steps, *executor, threads, true);
        EXPECT_TRUE(outcome.status.ok());
        EXPECT_EQ(outcome.values, wanted) << kinds << " on " << threads << " of " << executor->name();
      }
    }
  }
}

TEST(Run, RepeatsOnAPoolWithoutRaces) {
  const Steps steps = steps_of("1d1d11dd1d");
  testing::Backwards one(1);
  const std::vector<int64_t> wanted = run(steps, one, 1).values;
  for (int threads = 2; threads <= 4; ++threads) {
    const std::unique_ptr<ThreadPool> pool = *ThreadPool::create(threads);
    for (int i = 0; i < 300; ++i) ASSERT_EQ(run(steps, *pool, threads, i % 2 == 0).values, wanted);
  }
}

// What steps of one unit cost in calls: nothing.
TEST(Run, CallsOnceForAllOrOnceForEachDividedStep) {
  for (const auto& [kinds, divided] :
       {std::pair("111", 0), {"d", 1}, {"1d11", 1}, {"d1111d11", 2}, {"11d0dd1", 3}, {"", 0}}) {
    testing::Backwards foreign(3);
    EXPECT_TRUE(run(steps_of(kinds), foreign, 3).status.ok());
    EXPECT_EQ(foreign.calls, divided) << kinds;
    testing::NewThreads concurrent(3, true);
    EXPECT_TRUE(run(steps_of(kinds), concurrent, 3).status.ok());
    EXPECT_EQ(concurrent.calls, divided > 0 ? 1 : 0) << kinds;
  }
  testing::Backwards alone(3);
  EXPECT_TRUE(run(steps_of("ddd"), alone, 1).status.ok());
  EXPECT_EQ(alone.calls, 0) << "one thread needs no executor";
}

TEST(Run, AsksForNoMorePartsThanThereIsWorkFor) {
  class Most final : public v1::Executor {
   public:
    int threads() const override { return 100; }
    void parallel(int most, const Work& work) override {
      asked.push_back(most);
      work(0, 1);
    }
    std::vector<int> asked;
  } executor;
  Steps steps = steps_of("d1d");
  steps.infos[2].units = 5;
  EXPECT_TRUE(run(steps, executor, 100).status.ok());
  EXPECT_THAT(executor.asked, ElementsAre(kUnits, 5));
}

TEST(Run, TimesEveryStep) {
  const Steps steps = steps_of("1d11d1");
  for (const auto& executor : testing::test_executors(3))
    EXPECT_THAT(run(steps, *executor, 3, true).profile, ::testing::Each(::testing::Gt(0))) << executor->name();
}

// Executors that break the contract, each with what it does instead.
class Broken final : public v1::Executor {
 public:
  Broken(bool concurrent, std::function<void(int, const Work&)> divide)
      : concurrent_(concurrent), divide_(std::move(divide)) {}
  int threads() const override { return 4; }
  bool concurrent() const override { return concurrent_; }
  void parallel(int most, const Work& work) override { divide_(most, work); }

 private:
  const bool concurrent_;
  const std::function<void(int, const Work&)> divide_;
};

TEST(Run, FindsExecutorsThatBreakTheirContract) {
  using Work = v1::Executor::Work;
  const auto does_nothing = [](int, const Work&) {};
  const auto leaves_out_the_last = [](int most, const Work& work) {
    for (int i = 0; i + 1 < most; ++i) work(i, most);
  };
  const auto does_the_first_only = [](int most, const Work& work) {
    for (int i = 0; i < most; ++i) work(0, most);
  };
  const auto begins_at_one = [](int most, const Work& work) {
    for (int i = 1; i <= most; ++i) work(i, most);
  };
  const auto does_too_many = [](int most, const Work& work) {
    for (int i = 0; i < most + 1; ++i) work(i, most + 1);
  };
  const auto negative = [](int, const Work& work) { work(-1, 0); };
  const auto throws = [](int, const Work&) { throw std::runtime_error("no"); };
  for (const auto& divide : std::initializer_list<std::function<void(int, const Work&)>>{
           does_nothing, leaves_out_the_last, does_the_first_only, begins_at_one, does_too_many, negative, throws}) {
    Broken executor(false, divide);
    const Status status = run(steps_of("1d1d"), executor, 4).status;
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.diagnostics()[0].kind, ErrorKind::Usage);
    EXPECT_THAT(status.diagnostics()[0].message, HasSubstr("the executor"));
  }
  // Where parts wait for each other, those that there are not must not keep the others waiting.
  Broken shifted(true, [](int most, const Work& work) {
    std::vector<std::thread> threads;
    for (int i = 1; i <= most; ++i) threads.emplace_back([&, i] { work(i, most); });
    for (std::thread& t : threads) t.join();
  });
  EXPECT_FALSE(run(steps_of("d1d"), shifted, 4).status.ok());
  Broken full(false, [](int, const Work&) { throw std::bad_alloc(); });
  EXPECT_EQ(run(steps_of("d"), full, 4).status.diagnostics()[0].kind, ErrorKind::Resource);
}

}  // namespace
}  // namespace lapis
