// Static quantization of a simplified float model by a recipe: plan, calibrate, insert. The result is a standard QDQ model.
//
//   Recipe recipe;
//   recipe.keep_float({Selector::By::Type, "Gemm"});
//   LAPIS_TRY(QuantizeReport report, quantize_static(graph, *evaluator, next_sample, {.recipe = recipe}));
//
// As a pass, `quantize{samples=100}` takes recipe, evaluator and samples from the PassContext.
#pragma once

#include "passes/pass.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/place.h"

namespace lapis {

struct QuantizeOptions {
  Recipe recipe = {};
  CalibrateOptions calibrate = {};
  Target target = Target::host();
};

Result<QuantizeReport> quantize_static(Graph& graph, Evaluator& evaluator, const SampleSource& next,
                                       const QuantizeOptions& options = {});

// The same with what an earlier calibration of this model collected (values_to_calibrate): how a search tries many
// configurations.
Result<QuantizeReport> quantize_static(Graph& graph, const Calibration& calibration,
                                       const QuantizeOptions& options = {});

Pipeline quantize_passes();

}  // namespace lapis
