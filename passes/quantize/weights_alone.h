// Weights in few bits, data in floats: for models whose time goes into reading weights.
//
//   y = MatMul(x, w)   =>   y = MatMul(x, DequantizeLinear(wq, scales, zero points))
//
// int8, uint8, int4 or uint4, with a scale for each output channel, or for each block of the inputs of one (ONNX's `block_size`, opset 21).
// A weight that is 0 stays 0, so that what was pruned stays pruned. Rounded to the nearest step, or by GPTQ: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
// Transformers", 2022, algorithm 1, columns in their order, damped by a hundredth of the mean of the diagonal.
#pragma once

#include <unordered_map>

#include "passes/quantize/place.h"
#include "passes/samples.h"

namespace lapis {

// Sums of products of the inputs of a product of matrices, x^T x over all rows of all samples: [k, k], row major.
using Moments = std::vector<double>;
using MomentsOf = std::unordered_map<const Value*, Moments>;  // by the value that is read

// Weights as integers; `at` walks [outputs][inputs].
struct RoundedWeights {
  std::vector<int64_t> integers;
  std::vector<float> scales;   // [outputs][blocks]
  std::vector<int64_t> zeros;  // the same; all 0 if symmetric
  int64_t blocks = 1;
};

// Rounds [outputs][inputs] weights. `moments`: of the inputs, for GPTQ; null: to the nearest step.
RoundedWeights round_weights(std::vector<double> weights, int64_t inputs, const Scheme& scheme, const Moments* moments);

// The upper triangle U with inverse(moments) = U^T U, by rows; `moments` [n, n] damped by a hundredth of the mean of their diagonal.
std::vector<double> inverse_root(Moments moments, int64_t n);

// Of the data that GPTQ needs: what nodes of `placement.weights_alone` with that algorithm read.
Result<MomentsOf> measure_moments(const Graph& graph, const Placement& placement, Evaluator& evaluator,
                                  const SampleSource& source, int64_t samples);

// Replaces the weights of the nodes of `placement.weights_alone`.
void insert_weights_alone(Graph& graph, const Placement& placement, const MomentsOf& moments);

}  // namespace lapis
