// Executors as programs have them: each does the work in another legal way.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lapis/executor.h"

namespace lapis::testing {

class TestExecutor : public v1::Executor {
 public:
  TestExecutor(std::string name, int threads) : name_(std::move(name)), threads_(threads) {}
  int threads() const final { return threads_; }
  void parallel(int most, const Work& work) final {
    ++calls;
    divide(most, work);
  }
  const std::string& name() const { return name_; }

  std::atomic<int> calls{0};  // of parallel()

 private:
  virtual void divide(int most, const Work& work) = 0;
  const std::string name_;
  const int threads_;
};

// All parts on the calling thread, the last one first.
class Backwards final : public TestExecutor {
 public:
  explicit Backwards(int threads) : TestExecutor("backwards", threads) {}

 private:
  void divide(int most, const Work& work) override {
    for (int i = most; i-- > 0;) work(i, most);
  }
};

// Fewer parts than asked for.
class Fewer final : public TestExecutor {
 public:
  explicit Fewer(int threads) : TestExecutor("fewer", threads) {}

 private:
  void divide(int most, const Work& work) override {
    const int count = 1 + most / 3;
    for (int i = 0; i < count; ++i) work(i, count);
  }
};

// A new thread for every part, and none for the caller.
class NewThreads final : public TestExecutor {
 public:
  NewThreads(int threads, bool concurrent)
      : TestExecutor(concurrent ? "concurrent threads" : "threads", threads), concurrent_(concurrent) {}
  bool concurrent() const override { return concurrent_; }

 private:
  void divide(int most, const Work& work) override {
    std::vector<std::thread> threads;
    for (int i = 0; i < most; ++i) threads.emplace_back([&, i] { work(i, most); });
    for (std::thread& t : threads) t.join();
  }
  const bool concurrent_;
};

// Promises what it may: one thread, on which everything is "at the same time".
class OnlyTheCaller final : public TestExecutor {
 public:
  explicit OnlyTheCaller(int threads) : TestExecutor("only the caller", threads) {}
  bool concurrent() const override { return true; }

 private:
  void divide(int, const Work& work) override { work(0, 1); }
};

inline std::vector<std::shared_ptr<TestExecutor>> test_executors(int threads) {
  return {std::make_shared<Backwards>(threads), std::make_shared<Fewer>(threads),
          std::make_shared<NewThreads>(threads, false), std::make_shared<NewThreads>(threads, true),
          std::make_shared<OnlyTheCaller>(threads)};
}

}  // namespace lapis::testing
