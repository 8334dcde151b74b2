// Static quantization of a simplified float model: plan, calibrate, insert. The result is a standard QDQ model.
//
//   LAPIS_TRY(QuantizeReport report, quantize_static(graph, *evaluator, next_sample, {.placement = {.exclude_types =
// {"Gemm"}}}));
#pragma once

#include "passes/quantize/calibrate.h"
#include "passes/quantize/place.h"

namespace lapis {

struct QuantizeOptions {
  PlacementOptions placement;
  RangeOptions range;
  CalibrateOptions calibrate;
};

Result<QuantizeReport> quantize_static(Graph& graph, Evaluator& evaluator, const SampleSource& next,
                                       const QuantizeOptions& options = {});

// The same with what an earlier calibration of this model collected (values_to_calibrate): how a search tries many
// configurations.
Result<QuantizeReport> quantize_static(Graph& graph, const Calibration& calibration,
                                       const QuantizeOptions& options = {});

}  // namespace lapis
