// Bias correction: rounding weights shifts the mean of each output channel; the shift is taken out of the bias.
//
//   b' = b + mean over samples and positions of  W x - Wq x
//
// with x of the float model: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
// 2019, section 4.2, with the mean measured on samples (its appendix D) and not derived from batch normalizations.
#pragma once

#include "passes/quantize/place.h"
#include "passes/samples.h"

namespace lapis {

// Corrects the Conv, Gemm and MatMul that compute in int8 and whose recipe says `correct_bias`; where it says nothing,
// the Conv: positions of sequences may be padding, which no mean should count. One without a bias gets one. False if
// there was nothing to do; else `placement` is of an older graph.
Result<bool> correct_biases(Graph& graph, const Placement& placement, Evaluator& evaluator, const SampleSource& source,
                            int64_t samples, const RoundedOf& rounded = {});

}  // namespace lapis
