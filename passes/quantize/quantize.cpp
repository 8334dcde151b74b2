#include "passes/quantize/quantize.h"

namespace lapis {

static Status check_complete(const Placement& placement, const Calibration& calibration) {
  Diagnostics found;
  for (const std::string& name : placement.value_names())
    if (!calibration.histograms.contains(name))
      found.push_back(error(ErrorKind::Mismatch, "the calibration has no range for it")
                          .at("value '" + name + "'")
                          .help("calibrate this very graph: simplify it first, then calibrate and quantize"));
  return status_of(std::move(found));
}

static QuantizeReport insert(Graph& graph, const Placement& placement, const Calibration& calibration,
                             const QuantizeOptions& options) {
  QuantizeReport report = insert_qdq(graph, placement, calibration.ranges(options.range), options.placement);
  report.warnings = calibration.warnings;
  return report;
}

Result<QuantizeReport> quantize_static(Graph& graph, Evaluator& evaluator, const SampleSource& next,
                                       const QuantizeOptions& options) {
  LAPIS_TRY(const Placement placement, plan_qdq(graph, options.placement));
  LAPIS_TRY(const Calibration calibration,
            calibrate(graph, placement.value_names(), evaluator, next, options.calibrate));
  return insert(graph, placement, calibration, options);
}

Result<QuantizeReport> quantize_static(Graph& graph, const Calibration& calibration, const QuantizeOptions& options) {
  LAPIS_TRY(const Placement placement, plan_qdq(graph, options.placement));
  LAPIS_CHECK(check_complete(placement, calibration));
  return insert(graph, placement, calibration, options);
}

}  // namespace lapis
