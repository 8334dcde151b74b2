// One executable at many shapes, from several sessions at once: how long a new shape takes, what it costs in memory,
// and whether results are those of a model that was compiled for the shape alone.
//
//   lapis_bench_shapes MODEL COUNT SESSIONS SYMBOL=LOWEST..HIGHEST [SYMBOL=VALUE ...]
//
// COUNT values of the symbol, evenly spread, in another random order for every session.
// docs/benchmarks.md has the figures.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "benchmarks/processor_time.h"
#include "benchmarks/required.h"
#include "driver/family.h"
#include "frontends/frontend.h"

namespace lapis {
namespace {

double now() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

double resident_megabytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / 1e6;
}

// Small numbers: token ids, masks and activations alike.
Tensor some(DType type, const Shape& shape) {
  std::mt19937 random(1);
  Tensor t(type, shape);
  const auto fill = [&]<class T>(std::span<T> values) {
    for (T& v : values)
      v = static_cast<T>(type == DType::Float32 ? static_cast<double>(random() % 2000) / 1000.0 - 1
                                                : static_cast<double>(random() % 2));
  };
  if (type == DType::Float32) fill(t.mutable_data<float>());
  if (type == DType::Int64) fill(t.mutable_data<int64_t>());
  if (type == DType::Int32) fill(t.mutable_data<int32_t>());
  return t;
}

using Extents = std::map<std::string, int64_t>;

std::vector<Tensor> inputs_at(const Graph& graph, const Extents& extents) {
  std::vector<Tensor> inputs;
  for (const Value* v : graph.inputs()) {
    Shape shape;
    for (const Dim& d : *v->type().dims) shape.push_back(d.bind(extents).value());
    inputs.push_back(some(v->dtype(), shape));
  }
  return inputs;
}

double error_of(const Tensor& got, const Tensor& wanted) {
  double error = 0, largest = 1e-30;
  for (int64_t i = 0; i < wanted.size(); ++i) {
    error = std::max(error, std::abs(got.as_double(i) - wanted.as_double(i)));
    largest = std::max(largest, std::abs(wanted.as_double(i)));
  }
  return error / largest;
}

struct Setting {
  std::string symbol;
  int64_t lowest = 1, highest = 1;
  Extents others;
};

Setting parse(int argc, char** argv) {
  Setting s;
  for (int i = 4; i < argc; ++i) {
    const std::string text = argv[i], name = text.substr(0, text.find('=')), value = text.substr(text.find('=') + 1);
    const size_t dots = value.find("..");
    if (dots == std::string::npos) {
      s.others[name] = std::stoll(value);
    } else {
      s.symbol = name;
      s.lowest = std::stoll(value);
      s.highest = std::stoll(value.substr(dots + 2));
    }
  }
  return s;
}

void print(const char* what, std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  if (!ms.empty())
    std::printf("%-29s median %8.2f ms, highest %8.2f ms, of %zu\n", what, ms[ms.size() / 2], ms.back(), ms.size());
}

class Bench {
 public:
  Bench(const Graph& graph, const Setting& setting, int64_t count) : graph_(graph), setting_(setting) {
    for (int64_t i = 0; i < count; ++i)
      values_.push_back(setting.lowest + (setting.highest - setting.lowest) * i / std::max<int64_t>(count - 1, 1));
    options_.caches = caches_;
    const double start = now();
    family_ = required(ModelFamily::make(graph, {}, options_));
    std::printf("passes, once                 %8.2f ms\n", now() - start);
    first(values_.back());
  }

  void sessions(int count) {
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(count));
    for (int t = 0; t < count; ++t) threads.emplace_back([this, t] { session(static_cast<uint32_t>(t)); });
    for (std::thread& thread : threads) thread.join();
    print("a new shape", fresh_);
    print("  of it processor time", work_);
    print("a shape that others asked for", known_);
    print("a run", runs_);
    const auto weights = caches_->weights.counts();
    const auto code = caches_->code.counts();
    std::printf(
        "weights: packed %zu times, %zu tensors, %.1f MB; code: emitted %zu times, found %zu times; %.0f MB resident\n",
        weights.misses, weights.alive, static_cast<double>(weights.bytes) / 1e6, code.misses, code.hits,
        resident_megabytes());
  }

  // Every shape against an executable of its own, which shares nothing.
  void compare() {
    double worst = 0;
    for (const auto& [value, output] : outputs_) {
      const std::unique_ptr<Graph> bound = graph_.clone();
      ModelOptions dims;
      dims.dims = at(value);
      required(bind_model(*bound, dims));
      CompileOptions options;
      options.caches = std::make_shared<Caches>();
      auto session = required(required(Executable::from(required(compile(*bound, options)).program)).session());
      worst = std::max(worst, error_of(output, required(session.run(inputs_at(graph_, at(value))))[0]));
    }
    std::printf("largest difference from executables of one shape: %.2g of the largest value\n", worst);
  }

 private:
  Extents at(int64_t value) const {
    Extents extents = setting_.others;
    extents[setting_.symbol] = value;
    return extents;
  }

  void first(int64_t value) {
    asked_.insert(value);
    auto session = required(FlexibleSession::make(family_, {}));
    const double start = now();
    required(session.run(inputs_at(graph_, at(value))));
    std::printf("the first shape, and a run   %8.2f ms, %.0f MB resident\n", now() - start, resident_megabytes());
  }

  void session(uint32_t seed) {
    std::vector<int64_t> values = values_;
    std::shuffle(values.begin(), values.end(), std::mt19937(seed));
    auto session = required(FlexibleSession::make(family_, {}));
    for (const int64_t value : values) {
      const std::vector<Tensor> inputs = inputs_at(graph_, at(value));
      std::vector<Shape> shapes;
      shapes.reserve(inputs.size());
      for (const Tensor& t : inputs) shapes.push_back(t.shape());
      const bool is_first = asks_first(value);
      const double start = now(), processor = processor_milliseconds();
      required(session.session(shapes));
      const double made = now(), worked = processor_milliseconds() - processor;
      const Tensor output = required(session.run(inputs))[0];
      const double ran = now();
      const std::scoped_lock lock(mutex_);
      (is_first ? fresh_ : known_).push_back(made - start);
      if (is_first) work_.push_back(worked);
      runs_.push_back(ran - made);
      outputs_.emplace(value, output);
    }
  }

  // Of all sessions.
  bool asks_first(int64_t value) {
    const std::scoped_lock lock(mutex_);
    return asked_.insert(value).second;
  }

  const Graph& graph_;
  const Setting setting_;
  std::vector<int64_t> values_;
  CompileOptions options_;
  std::shared_ptr<Caches> caches_ = std::make_shared<Caches>();
  std::shared_ptr<ModelFamily> family_;
  std::mutex mutex_;
  std::set<int64_t> asked_;
  std::vector<double> fresh_, work_, known_, runs_;
  std::map<int64_t, Tensor> outputs_;
};

}  // namespace
}  // namespace lapis

int main(int argc, char** argv) {
  using namespace lapis;
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s MODEL COUNT SESSIONS SYMBOL=LOWEST..HIGHEST [SYMBOL=VALUE ...]\n", argv[0]);
    return 2;
  }
  const auto graph = required(import_model(argv[1]));
  Bench bench(*graph, parse(argc, argv), std::atoll(argv[2]));
  bench.sessions(std::atoi(argv[3]));
  bench.compare();
}
