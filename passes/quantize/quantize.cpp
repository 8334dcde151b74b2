#include "passes/quantize/quantize.h"

namespace lapis {
namespace {

Status check_complete(const Placement& placement, const Calibration& calibration) {
  Diagnostics found;
  for (const std::string& name : placement.value_names())
    if (!calibration.histograms.contains(name))
      found.push_back(error(ErrorKind::Mismatch, "the calibration has no range for it")
                          .at("value '" + name + "'")
                          .help("calibrate this very graph: simplify it first, then calibrate and quantize"));
  return status_of(std::move(found));
}

QuantizeReport insert(Graph& graph, const Placement& placement, const Calibration& calibration,
                      const QuantizeOptions& options) {
  Ranges ranges;
  for (size_t i = 0; i < placement.values.size(); ++i) {
    const std::string& name = placement.values[i]->name();
    ranges[name] = calibration.range(name, placement.ranges[i]);
  }
  QuantizeReport report = insert_qdq(graph, placement, ranges, options.recipe);
  report.warnings = placement.warnings;
  report.warnings.insert(report.warnings.end(), calibration.warnings.begin(), calibration.warnings.end());
  return report;
}

struct PassOptions {
  int64_t samples = 100;
  static constexpr auto fields =
      std::tuple(option("samples", &PassOptions::samples, "Samples to calibrate with, at most", 1));
};

Status run_pass(Graph& graph, const PassOptions& options, PassContext& context) {
  if (!context.evaluator || !context.samples)
    return error(ErrorKind::Usage, "the pass 'quantize' needs samples to calibrate with")
        .help("`lapis opt --calibration DATA` gives them, and so does `lapis quantize`");
  const QuantizeOptions quantize{
      context.recipe ? *context.recipe : Recipe(), {options.samples, context.progress}, context.target};
  LAPIS_TRY(const QuantizeReport report, quantize_static(graph, *context.evaluator, context.samples, quantize));
  if (context.quantized) context.quantized(report);
  return ok();
}

}  // namespace

Result<QuantizeReport> quantize_static(Graph& graph, Evaluator& evaluator, const SampleSource& next,
                                       const QuantizeOptions& options) {
  LAPIS_TRY(const Placement placement, plan_qdq(graph, options.recipe, options.target));
  LAPIS_TRY(const Calibration calibration,
            calibrate(graph, placement.value_names(), evaluator, next, options.calibrate));
  return insert(graph, placement, calibration, options);
}

Result<QuantizeReport> quantize_static(Graph& graph, const Calibration& calibration, const QuantizeOptions& options) {
  LAPIS_TRY(const Placement placement, plan_qdq(graph, options.recipe, options.target));
  LAPIS_CHECK(check_complete(placement, calibration));
  return insert(graph, placement, calibration, options);
}

Pipeline quantize_passes() {
  return {pass<PassOptions>("quantize",
                            "what the recipe asks for, and can be, stands between QuantizeLinear and DequantizeLinear",
                            run_pass)};
}

}  // namespace lapis
