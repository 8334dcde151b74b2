// Which integers weights become. To the nearest step; by GPTQ (Frantar et al., "GPTQ: Accurate Post-Training
// Quantization for Generative Pre-trained Transformers", 2022, algorithm 1, columns in their order, damped by a
// hundredth of the mean of the diagonal); by AdaRound (adaround.h); and what is done to the integers afterwards. A
// weight that is 0 stays 0, so that what was pruned stays pruned.
//
//   const RoundedWeights r = round_weights(weights, inputs, scheme, nullptr);  // [outputs][inputs]
#pragma once

#include <cstdint>
#include <vector>

#include "ir/quant.h"

namespace lapis {

// Sums of products of the inputs of a contraction, x^T x over all rows of all samples: [k, k], row major (moments.h).
using Moments = std::vector<double>;

// The steps that a block of weights is rounded to.
struct Steps {
  double scale = 1;
  int64_t zero = 0, low = 0, high = 0;
  int64_t round(double w) const;
  double value(int64_t q) const { return static_cast<double>(q - zero) * scale; }
};

// Weights as integers; `at` walks [outputs][inputs].
struct RoundedWeights {
  std::vector<int64_t> integers;
  std::vector<float> scales;   // [outputs][blocks]
  std::vector<int64_t> zeros;  // the same; all 0 if symmetric
  int64_t blocks = 1;
};

// The steps of every block of [outputs][inputs] weights, in order:
// of all weights (Granularity::Tensor), of an output, or of `scheme.block` inputs.
// Symmetric steps leave out the lowest integer, so that both signs reach equally far.
std::vector<Steps> steps_of(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme);
// Inputs that have their own steps.
int64_t block_of(const Scheme& scheme, int64_t inputs);

// Rounds [outputs][inputs] weights. `moments`: of the inputs, for GPTQ; null: to the nearest step.
RoundedWeights round_weights(std::vector<double> weights, int64_t inputs, const Scheme& scheme, const Moments* moments);

// What is added to the diagonal of moments before they are inverted:
// a hundredth of its mean, and 1 where there is nothing.
std::vector<double> damping_of(const Moments& moments, int64_t n);
// The upper triangle U with inverse(moments) = U^T U, by rows; `moments` [n, n] damped.
std::vector<double> inverse_root(Moments moments, int64_t n);

// Restores the mean of each block of weights, by rounding those that lie nearest to the middle of two steps the other
// way, and then, where the block has its own scale, their standard deviation, by the scale.
void restore_moments(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme, RoundedWeights& rounded);

}  // namespace lapis
