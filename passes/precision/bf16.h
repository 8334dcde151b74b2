// Floats in 16 bits where the target multiplies them:
// convolutions and products of matrices in bfloat16, and what lies between them.
//
//   y = Conv(x, w, b)   =>   y = Cast<float>(Conv(Cast<bfloat16>(x), w', b'))        w', b' constants in bfloat16
//
// An island grows over elementwise operators, MaxPool and movement whose operands are all in it and whose result it
// reads, so that casts stand at its shore only. The result is valid ONNX. What stays float, and why, is in the report.
//
//   Recipe recipe;
//   recipe.defaults.floats = DType::BFloat16;
//   LAPIS_TRY(Bf16Report report, to_bf16(graph, {.recipe = recipe}, evaluator, samples));
//
// As a pass, `bf16{min_sqnr=30,samples=16}` takes recipe, target, evaluator and samples from the PassContext. It comes
// behind `quantize`, whose nodes it leaves alone, so that a recipe mixes int8, bf16 and fp32.
#pragma once

#include "passes/pass.h"
#include "passes/quantize/damage.h"
#include "passes/quantize/recipe.h"

namespace lapis {

struct Bf16Decision {
  std::string node, op;
  bool bf16 = false;
  std::string note;  // why not
};

struct Bf16Report {
  std::vector<Bf16Decision> decisions;  // of nodes that the recipe asks for, in order
  int64_t casts = 0;                    // that were placed
  std::optional<Damage> damage;         // against the model before; none: not measured
  size_t bf16_count() const;
};

struct Bf16Options {
  Recipe recipe = {};
  Target target = Target::host();
  double min_sqnr =
      0;  // dB that every output is to have; nodes that cost most become fp32 again until it has. 0: whatever comes out
  int64_t samples = 16;  // to measure that on, at most
};

// What multiplies bfloat16 on the target is missing: an error that says what it needs.
Status check_bf16(const Target& target);

// Fails where check_bf16 does and the recipe asks for some. Nothing is done where the recipe asks for none.
// `evaluator` may be null, and `source` empty, if min_sqnr is 0.
Result<Bf16Report> to_bf16(Graph& graph, const Bf16Options& options, Evaluator* evaluator = nullptr,
                           const SampleSource& source = {});

Pipeline precision_passes();

}  // namespace lapis
