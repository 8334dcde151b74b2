// Executor: the threads that sessions run on. Without one a session has threads of its own; with one the caller's
// threads do the work, or a pool of Lapis' that several sessions share (lapis::thread_pool in executable.h). Results
// never depend on it.
//
//   class Everything final : public lapis::Executor {  // the smallest one: all on the thread that calls run()
//     int threads() const override { return 1; }
//     void parallel(int, const Work& work) override { work(0, 1); }
//   };
//
//   class OpenMp final : public lapis::Executor {
//     int threads() const override { return omp_get_max_threads(); }
//     void parallel(int most, const Work& work) override {
//   #pragma omp parallel num_threads(most)
//       work(omp_get_thread_num(), omp_get_num_threads());
//     }
//     bool concurrent() const override { return true; }
//   };
//
//   auto session = executable.session({.executor = std::make_shared<OpenMp>()}).value();
#pragma once

#include <functional>

#include "lapis/config.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  class LAPIS_EXPORT Executor {
   public:
    // Does part `index` of `count` equal parts of some work. Never throws, never blocks except as concurrent() says.
    using Work = std::function<void(int index, int count)>;

    virtual ~Executor() = default;

    // The most parts that are of use: how many threads there are, 1 or more. Asked at the beginning of every run. What
    // cannot be divided is done by the thread that calls run(), or by one that does parts; with 1 thread that is
    // everything.
    virtual int threads() const = 0;

    // Calls work(0, count), ..., work(count - 1, count), each once, for one `count` of its choice from 1 to `most`: on
    // any threads, in any order, one after the other if it must be. Returns when all calls have returned, and what they
    // wrote is visible. Sessions that run at the same time call it at the same time, and a session that runs inside of
    // `work` calls it there. A run whose executor leaves out a part, does one twice or throws fails with
    // ErrorCode::Usage; one that returns while parts are being done is beyond help.
    virtual void parallel(int most, const Work& work) = 0;

    // True is a promise: the calls of one parallel() are under way at the same time, each on a thread of its own, so
    // that they may wait for each other. A run is then one parallel() with barriers inside; otherwise it is one for
    // every step that is divided.
    virtual bool concurrent() const { return false; }
  };

}  // namespace v1
}  // namespace lapis
