// What compiling a model takes after one that is nearly the same: weights and code come from the caches of the process.
//
//   lapis_bench_recompile FIRST.onnx SECOND.onnx
//
// Compiles the first, then the second several times in new caches that the first has filled, and prints the least time
// of each stage. That of the processor does not count what others do on the same core.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/stopwatch.h"
#include "benchmarks/processor_time.h"
#include "benchmarks/required.h"
#include "driver/compile.h"

namespace lapis {
namespace {

struct Times {
  double passes = 1e9, lower = 1e9, emit = 1e9, all = 1e9, processor = 1e9;
  void least(const Times& t) {
    passes = std::min(passes, t.passes);
    lower = std::min(lower, t.lower);
    emit = std::min(emit, t.emit);
    all = std::min(all, t.all);
    processor = std::min(processor, t.processor);
  }
};

Times measure(const Graph& graph, const std::shared_ptr<Caches>& caches) {
  CompileOptions options;
  options.caches = caches;
  const Stopwatch watch;
  const double processor = processor_milliseconds();
  const Compiled::Seconds s = required(compile(graph, std::move(options))).seconds;
  const double all = watch.milliseconds();
  return {s.passes * 1e3, s.lower * 1e3, s.emit * 1e3, all, processor_milliseconds() - processor};
}

void print(const char* what, const Times& t, const Caches& caches) {
  std::printf(
      "%-8s passes %7.2f ms, lowering and packing %7.2f ms, emission %7.2f ms, all %7.2f ms, "
      "of the processor %7.2f ms; packed %zu, emitted %zu so far\n",
      what, t.passes, t.lower, t.emit, t.all, t.processor, caches.weights.counts().misses, caches.code.counts().misses);
}

}  // namespace
}  // namespace lapis

int main(int argc, char** argv) {
  using namespace lapis;
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s FIRST.onnx SECOND.onnx\n", argv[0]);
    return 2;
  }
  const auto first = required(load_model(argv[1])), second = required(load_model(argv[2]));
  Times best;
  std::shared_ptr<Caches> caches;
  for (int round = 0; round < 5; ++round) {
    caches = std::make_shared<Caches>();
    const Times alone = measure(*first, caches);
    if (round == 0) print("first", alone, *caches);
    best.least(measure(*second, caches));
  }
  print("second", best, *caches);
}
