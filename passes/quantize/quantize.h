// Quantization of a simplified float model by a recipe: prune where it says so, plan, calibrate, insert, measure the
// damage. The result is a standard ONNX model: QDQ where ranges are calibrated, integer operators where they are found
// during inference.
//
//   Recipe recipe;
//   recipe.keep_float({Selector::By::Type, "Gemm"});
//   LAPIS_TRY(QuantizeReport report, quantize_static(graph, *evaluator, source_sample, {.recipe = recipe}));
//   report.damage->outputs[0].sqnr;   // dB, against the float model
//
// As a pass, `quantize{samples=100,damage=16}` takes recipe, evaluator and samples from the PassContext.
#pragma once

#include "passes/pass.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/place.h"

namespace lapis {

struct QuantizeOptions {
  Recipe recipe = {};
  CalibrateOptions calibrate = {};
  Target target = Target::host();
  int64_t damage_samples = 16;  // of those calibrated with, evenly spread: what the damage is measured on; 0: it is not
};

Result<QuantizeReport> quantize_static(Graph& graph, Evaluator& evaluator, const SampleSource& source,
                                       const QuantizeOptions& options = {});

// The same without data: ranges are those that the model has (own_scales.h), or are found during inference
// (RangeMethod::Dynamic). Fails where a recipe wants calibrated ones and the model has none. Nothing is measured.
Result<QuantizeReport> quantize_dynamic(Graph& graph, const QuantizeOptions& options);

// The same with what an earlier calibration of this model collected (values_to_calibrate): how a search tries many
// configurations. Nothing is measured: measure_damage (damage.h) does.
Result<QuantizeReport> quantize_static(Graph& graph, const Calibration& calibration,
                                       const QuantizeOptions& options = {});

Pipeline quantize_passes();

}  // namespace lapis
