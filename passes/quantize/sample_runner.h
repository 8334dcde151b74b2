// Runs a model with free shapes on one sample after the other.
#pragma once

#include <functional>
#include <memory>

#include "passes/samples.h"

namespace lapis {

// An evaluator wants static shapes, so the model is bound to the shapes of a sample, anew when they change.
class SampleRunner {
 public:
  // `graph` and `evaluator` outlive it. `watched`:
  // names of values, inputs among them, that run() returns besides the outputs.
  SampleRunner(const Graph& graph, const std::vector<std::string>& watched, Evaluator& evaluator);

  // Fails if the sample does not fit the model's inputs; findings name it by its number.
  Result<Feeds> run(const Feeds& feeds, int64_t sample);
  // `use` sees the results of the first `count` samples, or of all if there are fewer.
  Status run_all(const SampleSource& samples, int64_t count, const std::function<Status(const Feeds& results)>& use);

 private:
  Status bind(std::map<std::string, Shape> shapes);

  const Graph& graph_;
  std::vector<std::string> inner_, inputs_;  // watched
  Evaluator& evaluator_;
  std::unique_ptr<Graph> bound_;
  std::map<std::string, Shape> shapes_;
};

// The first `count` samples, or all if there are fewer.
Result<std::vector<Feeds>> first_samples(const SampleSource& source, int64_t count);

}  // namespace lapis
