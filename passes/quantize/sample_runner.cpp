#include "passes/quantize/sample_runner.h"

#include <algorithm>

#include "ir/infer.h"

namespace lapis {

static Diagnostics describe(Diagnostics found, int64_t sample) {
  for (Diagnostic& d : found) {
    d.location = "calibration sample " + std::to_string(sample) + ": " + d.location;
    if (d.hint.empty()) d.help("give samples whose names, types and shapes are those of the model's inputs");
  }
  return found;
}

static bool is_named(const std::vector<Value*>& values, const std::string& name) {
  return std::any_of(values.begin(), values.end(), [&](const Value* v) { return v->name() == name; });
}

// Inputs are in the feeds, outputs are returned anyway.
SampleRunner::SampleRunner(const Graph& graph, const std::vector<std::string>& watched, Evaluator& evaluator)
    : graph_(graph), evaluator_(evaluator) {
  for (const std::string& name : watched)
    if (is_named(graph.inputs(), name))
      inputs_.push_back(name);
    else if (!is_named(graph.outputs(), name))
      inner_.push_back(name);
}

Result<Feeds> SampleRunner::run(const Feeds& feeds, int64_t sample) {
  LAPIS_CHECK(status_of(describe(check_feeds(graph_, feeds), sample)));
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : feeds) shapes[name] = tensor.shape();
  if (!bound_ || shapes != shapes_) LAPIS_CHECK(bind(std::move(shapes)));
  LAPIS_TRY(Feeds results, evaluator_.run(feeds));
  for (const std::string& name : inputs_) results[name] = feeds.at(name);
  for (const std::string& name : inner_)
    LAPIS_ASSERT(results.contains(name), "the evaluator did not return the watched value '" << name << "'");
  return results;
}

Status SampleRunner::run_all(const SampleSource& samples, int64_t count,
                             const std::function<Status(const Feeds& results)>& use) {
  for (int64_t i = 0; i < count; ++i) {
    LAPIS_TRY(const std::optional<Feeds> feeds, samples(i));
    if (!feeds) break;
    LAPIS_TRY(const Feeds results, run(*feeds, i));
    LAPIS_CHECK(use(results));
  }
  return ok();
}

Status SampleRunner::bind(std::map<std::string, Shape> shapes) {
  bound_ = graph_.clone();
  LAPIS_CHECK(bind_shapes(*bound_, shapes));
  LAPIS_CHECK(evaluator_.load(*bound_, inner_));
  shapes_ = std::move(shapes);
  return ok();
}

Result<std::vector<Feeds>> first_samples(const SampleSource& source, int64_t count) {
  std::vector<Feeds> samples;
  for (int64_t i = 0; source && i < count; ++i) {
    LAPIS_TRY(std::optional<Feeds> sample, source(i));
    if (!sample) break;
    samples.push_back(*std::move(sample));
  }
  return samples;
}

}  // namespace lapis
