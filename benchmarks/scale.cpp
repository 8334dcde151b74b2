// How the time of each stage of compilation grows with the number of nodes: nothing here may be quadratic.
//
//   lapis_bench_scale [part of a family's name] [largest number of nodes, 100000] [last stage]
//
// Every family of graphs is drawn with 1,000 to 100,000 nodes, written as ONNX, read, compiled and made an artifact.
// The table has the microseconds of processor time per node of each stage; `growth` is the last row by the first, 1 for
// what is linear. docs/scaling.md has the figures.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>

#include "benchmarks/processor_time.h"
#include "benchmarks/required.h"
#include "codegen/emit.h"
#include "codegen/lower/lower.h"
#include "driver/compile.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"
#include "passes/quantize/integer.h"
#include "passes/simplify/simplify.h"
#include "runtime/artifact.h"
#include "tests/random/graphs/families.h"

namespace lapis {
namespace {

using random_graphs::Family;

// ---- measuring ------------------------------------------------------------------------------------------------------

// `compile` is all of compile(), from the imported graph to the bytes of the artifact.
constexpr const char* kStages[] = {"export", "import", "verify", "simplify", "integer",
                                   "again",  "lower",  "emit",   "compile"};
constexpr size_t kStageCount = std::size(kStages);
using Seconds = std::array<double, kStageCount>;

// Runs stage after stage until the last one that is wanted.
class StageTimes {
 public:
  explicit StageTimes(size_t stages) : left_(stages) {}
  const Seconds& seconds() const { return seconds_; }
  template <class F> void operator()(F&& stage) {
    if (next_ >= left_) return;
    const double start = program_milliseconds();
    stage();
    seconds_[next_++] = 1e-3 * (program_milliseconds() - start);
  }

 private:
  size_t left_, next_ = 0;
  Seconds seconds_{};
};

Seconds measure(const Family& family, int nodes, size_t stages) {
  const std::unique_ptr<Graph> drawn = family.draw(nodes);
  StageTimes timed(stages);
  std::string file;
  std::unique_ptr<Graph> graph, own;
  Plan plan;
  timed([&] { file = required(export_onnx(*drawn)); });
  timed([&] { graph = required(import_onnx(std::as_bytes(std::span(file)), family.name)); });
  if (graph) own = graph->clone();
  PassContext context;
  timed([&] { required(status_of(verify(*own))); });
  timed([&] { required(simplify(*own, context)); });
  timed([&] { required(integer(*own, context)); });
  timed([&] { required(simplify(*own, context)); });
  timed([&] { plan = required(codegen::lower(*own, {Target::host()})); });
  timed([&] { required(codegen::emit(plan)); });
  CompileOptions options;
  options.caches = std::make_shared<Caches>();  // or another run's code would be found
  timed([&] { ArtifactImage(required(compile(*graph, options)).program).parts(); });
  return timed.seconds();
}

// The least of several runs where they are short.
Seconds best_of(const Family& family, int nodes, size_t stages) {
  const auto sum = [](const Seconds& s) { return std::accumulate(s.begin(), s.end(), 0.0); };
  Seconds best = measure(family, nodes, stages);
  for (double spent = sum(best); spent < 0.5;) {
    const Seconds again = measure(family, nodes, stages);
    for (size_t i = 0; i < kStageCount; ++i) best[i] = std::min(best[i], again[i]);
    spent += sum(again);
  }
  return best;
}

void print_row(const char* name, const Seconds& numbers, double unit) {
  std::printf("| %-12s |", name);
  for (double number : numbers) std::printf(" %8.2f |", number * unit);
  std::printf("\n");
  std::fflush(stdout);
}

void run(const Family& family, int largest, size_t stages) {
  std::printf("\n| %-12s |", family.name);
  for (const char* stage : kStages) std::printf(" %8s |", stage);
  std::printf("\n|---|");
  for (size_t i = 0; i < kStageCount; ++i) std::printf("---:|");
  std::printf("\n");
  measure(family, 100, stages);
  Seconds first{}, last{};
  for (const int nodes : {1'000, 3'000, 10'000, 30'000, 100'000}) {
    if (nodes > largest) break;
    last = best_of(family, nodes, stages);
    for (double& s : last) s /= nodes;
    if (nodes == 1'000) first = last;
    print_row(std::to_string(nodes).c_str(), last, 1e6);
  }
  for (size_t i = 0; i < kStageCount; ++i) last[i] = first[i] > 0 ? last[i] / first[i] : 0;
  print_row("growth", last, 1);
}

}  // namespace
}  // namespace lapis

int main(int argc, char** argv) {
  using namespace lapis;
  const char* part = argc > 1 ? argv[1] : "";
  const int largest = argc > 2 ? std::atoi(argv[2]) : 100'000;
  const auto* last = std::find_if(std::begin(kStages), std::end(kStages),
                                  [&](const char* stage) { return argc > 3 && std::strcmp(stage, argv[3]) == 0; });
  const size_t stages = last == std::end(kStages) ? kStageCount : static_cast<size_t>(last - kStages) + 1;
  for (const auto& family : random_graphs::families())
    if (std::strstr(family.name, part)) run(family, largest, stages);
}
