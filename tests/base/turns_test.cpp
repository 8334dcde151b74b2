// Of threads that want the same thing at the same time, one makes it; others are not held up.
#include "base/turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <thread>
#include <vector>

namespace lapis {
namespace {

TEST(Turns, OneThreadMakesWhatManyWant) {
  Turns turns;
  std::mutex mutex;
  std::map<std::string, int> known;
  std::atomic<int> made = 0;
  const auto want = [&](const std::string& key) {
    const Turns::Turn turn = turns.take(key);
    {
      const std::scoped_lock lock(mutex);
      if (known.contains(key)) return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::scoped_lock lock(mutex);
    known[key] = ++made;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) threads.emplace_back([&, t] { want(t % 2 ? "odd" : "even"); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 2);
}

TEST(Turns, OtherKeysWaitForNobody) {
  Turns turns;
  const Turns::Turn slow = turns.take("slow");
  std::async(std::launch::async, [&] { const Turns::Turn other = turns.take("other"); }).get();
}

TEST(Turns, WhoFailsLeavesItToTheNext) {
  Turns turns;
  try {
    const Turns::Turn turn = turns.take("a");
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
  }
  const Turns::Turn again = turns.take("a");
}

}  // namespace
}  // namespace lapis
