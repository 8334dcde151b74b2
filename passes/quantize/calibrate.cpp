#include "passes/quantize/calibrate.h"

#include <algorithm>

#include "passes/quantize/sample_runner.h"

namespace lapis {

namespace {

Status record(Calibration& calibration, const std::string& name, const Tensor& tensor) {
  if (tensor.dtype() != DType::Float32)
    return error(ErrorKind::Unsupported,
                 "only float32 values are quantized, this one is " + std::string(name_of(tensor.dtype())))
        .at("value '" + name + "'");
  calibration.values[name].add(tensor.data<float>());
  return ok();
}

// A value that is sometimes NaN or infinite is calibrated on the rest, with a warning; one that always is cannot be.
Diagnostics judge(const Calibration& calibration) {
  Diagnostics found;
  for (const auto& [name, seen] : calibration.values) {
    const Histogram& histogram = seen.histogram;
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

Range Calibration::range(const std::string& value, const RangeOptions& options, const Scheme& scheme) const {
  const auto it = values.find(value);
  LAPIS_ASSERT(it != values.end(), "'" << value << "' was not calibrated");
  return range_of(it->second, options, scheme);
}

Result<Calibration> calibrate(const Graph& graph, const std::vector<std::string>& values, Evaluator& evaluator,
                              const SampleSource& source, const CalibrateOptions& options) {
  Calibration calibration;
  for (const std::string& name : values) calibration.values[name];
  SampleRunner runner(graph, values, evaluator);
  const auto use = [&](const Feeds& results) -> Status {
    for (const std::string& name : values) LAPIS_CHECK(record(calibration, name, results.at(name)));
    ++calibration.samples;
    if (options.progress) options.progress(calibration.samples, options.samples);
    return ok();
  };
  LAPIS_CHECK(runner.run_all(source, options.samples, use));
  if (calibration.samples == 0)
    return error(ErrorKind::Mismatch, "there is no calibration sample").help("give at least one; 100 is usual");
  Diagnostics found = judge(calibration);
  if (has_errors(found)) return found;
  calibration.warnings = std::move(found);
  return calibration;
}

}  // namespace lapis
