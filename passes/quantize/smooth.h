// SmoothQuant, and AWQ of weights alone: the data of a product of matrices is divided by a factor for each of its
// channels, and the weights multiplied by it, so that single large channels no longer take all the steps of a scale.
//
//   y = MatMul(x, w)   =>   y = MatMul(Mul(x, 1 / s), s w)         s_j = max|x_j|^alpha / max|w_j|^(1 - alpha)
//
// Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models", 2023,
// equation 4. All products that read one value share s, with the largest weight of any of them.
//
// Lin et al., "AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration", 2023, section 3.2: s_j
// = mean|x_j|^alpha, divided by the root of its largest times its smallest, so that weights that meet large data lose
// less by rounding. Afterwards each block of weights is clipped to what gives the least error of its share of the
// product.
#pragma once

#include "passes/quantize/place.h"
#include "passes/samples.h"

namespace lapis {

// Smooths the Gemm and MatMul that compute in int8 and whose recipe says `smooth`; where it says nothing, the MatMul of
// sequences (rank 3 and more) with static ranges that no operator in int8 computes, as encoders have them, by 0.75 if
// some channel is three times as large as the middle one; and those of weights alone whose algorithm is awq. The model
// computes the same as before, but for rounding. AWQ, and `smooth: auto`, try alphas of 0, 0.1, ..., 1 (or those that a
// recipe lists) for each value and keep what gives the least error of the products on some rows of the samples. False
// if there was nothing to do; else `placement` is of an older graph.
Result<bool> smooth(Graph& graph, const Placement& placement, Evaluator& evaluator, const SampleSource& source,
                    int64_t samples);

}  // namespace lapis
