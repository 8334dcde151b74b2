#include "passes/quantize/calibrate.h"

#include <algorithm>

#include "ir/infer.h"

namespace lapis {

namespace {

// Feeds samples to the evaluator. It wants static shapes, so the model is bound to the shapes of a sample, anew when
// they change.
class Runner {
 public:
  Runner(const Graph& graph, std::vector<std::string> watched, Evaluator& evaluator)
      : graph_(graph), watched_(std::move(watched)), evaluator_(evaluator) {}

  Result<Feeds> run(const Feeds& feeds, int64_t sample) {
    LAPIS_CHECK(status_of(describe(check_feeds(graph_, feeds), sample)));
    std::map<std::string, Shape> shapes;
    for (const auto& [name, tensor] : feeds) shapes[name] = tensor.shape();
    if (!bound_ || shapes != shapes_) LAPIS_CHECK(bind(std::move(shapes)));
    return evaluator_.run(feeds);
  }

 private:
  static Diagnostics describe(Diagnostics found, int64_t sample) {
    for (Diagnostic& d : found) {
      d.location = "calibration sample " + std::to_string(sample) + ": " + d.location;
      if (d.hint.empty()) d.help("give samples whose names, types and shapes are those of the model's inputs");
    }
    return found;
  }

  Status bind(std::map<std::string, Shape> shapes) {
    bound_ = graph_.clone();
    LAPIS_CHECK(bind_shapes(*bound_, shapes));
    LAPIS_CHECK(evaluator_.load(*bound_, watched_));
    shapes_ = std::move(shapes);
    return ok();
  }

  const Graph& graph_;
  std::vector<std::string> watched_;
  Evaluator& evaluator_;
  std::unique_ptr<Graph> bound_;
  std::map<std::string, Shape> shapes_;
};

bool is_named(const std::vector<Value*>& values, const std::string& name) {
  return std::any_of(values.begin(), values.end(), [&](const Value* v) { return v->name() == name; });
}

// What has to be watched: graph inputs are in the feeds, graph outputs are returned anyway.
std::vector<std::string> inner_values(const Graph& graph, const std::vector<std::string>& values) {
  std::vector<std::string> inner;
  for (const std::string& name : values)
    if (!is_named(graph.inputs(), name) && !is_named(graph.outputs(), name)) inner.push_back(name);
  return inner;
}

Status record(Calibration& calibration, const std::string& name, const Feeds& feeds, const Feeds& results) {
  const auto fed = feeds.find(name);
  const auto computed = results.find(name);
  LAPIS_ASSERT(fed != feeds.end() || computed != results.end(),
               "the evaluator did not return the watched value '" << name << "'");
  const Tensor& tensor = fed != feeds.end() ? fed->second : computed->second;
  if (tensor.dtype() != DType::Float32)
    return error(ErrorKind::Unsupported,
                 "only float32 values are quantized, this one is " + std::string(name_of(tensor.dtype())))
        .at("value '" + name + "'");
  calibration.histograms[name].add(tensor.data<float>());
  return ok();
}

// A value that is sometimes NaN or infinite is calibrated on the rest, with a warning; one that always is cannot be.
Diagnostics judge(const Calibration& calibration) {
  Diagnostics found;
  for (const auto& [name, histogram] : calibration.histograms) {
    const bool never_finite = histogram.empty() && histogram.not_finite() > 0;
    const std::string text = std::to_string(histogram.not_finite()) + " of " +
                             std::to_string(histogram.not_finite() + histogram.count()) + " values are NaN or infinite";
    if (never_finite)
      found.push_back(error(ErrorKind::Mismatch, "every calibrated value is NaN or infinite")
                          .at("value '" + name + "'")
                          .help("check the preprocessing of the samples, or exclude the node that computes it"));
    else if (histogram.not_finite() > 0)
      found.push_back(warning(text + "; the range ignores them").at("value '" + name + "'"));
  }
  return found;
}

}  // namespace

Range Calibration::range(const std::string& value, const RangeOptions& options) const {
  const auto it = histograms.find(value);
  LAPIS_ASSERT(it != histograms.end(), "'" << value << "' was not calibrated");
  const Histogram& h = it->second;
  if (options.method == RangeMethod::MinMax) return {h.min(), h.max()};
  const double tail = (100 - options.percentile) / 200;
  return {h.quantile(tail), h.quantile(1 - tail)};
}

Result<Calibration> calibrate(const Graph& graph, const std::vector<std::string>& values, Evaluator& evaluator,
                              const SampleSource& next, const CalibrateOptions& options) {
  Calibration calibration;
  for (const std::string& name : values) calibration.histograms[name];
  Runner runner(graph, inner_values(graph, values), evaluator);
  while (calibration.samples < options.samples) {
    LAPIS_TRY(const std::optional<Feeds> feeds, next());
    if (!feeds) break;
    LAPIS_TRY(const Feeds results, runner.run(*feeds, calibration.samples));
    for (const std::string& name : values) LAPIS_CHECK(record(calibration, name, *feeds, results));
    ++calibration.samples;
    if (options.progress) options.progress(calibration.samples, options.samples);
  }
  if (calibration.samples == 0)
    return error(ErrorKind::Mismatch, "there is no calibration sample").help("give at least one; 100 is usual");
  Diagnostics found = judge(calibration);
  if (has_errors(found)) return found;
  calibration.warnings = std::move(found);
  return calibration;
}

}  // namespace lapis
