// AdaRound: whether each weight is rounded down or up is learned, so that the product changes least on the data,
// not the weights. Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, equations 21 to
// 24: h(V) is a rectified sigmoid, a regularizer whose exponent falls from 20 to 2 drives it to 0 or 1, Adam minimizes.
// The paper takes batches of the inputs; here the loss is that of all of them at once, through their moments x^T x, so
// that no input is kept:
//
//   |X (W - Q)|^2 = sum over outputs of d^T (X^T X) d,  d = w - q
#pragma once

#include "ir/evaluate.h"
#include "passes/quantize/rounding.h"

namespace lapis {

struct AdaRoundOptions {
  int iterations = 400;
  double learning_rate = 0.02;
  // Of a weight, against the mean loss of the weights of its output that are rounded to the nearest. Much less than 1
  // leaves weights between two steps when the iterations end, and what rounds those then is chance.
  double regularization = 8;
};

// Rounds the weights of `moments.size()` groups of outputs, each of which reads its own inputs. An output whose loss it
// does not lower is rounded to the nearest. The evaluator multiplies matrices.
Result<RoundedWeights> adaround(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme,
                                const std::vector<Moments>& moments, Evaluator& evaluator,
                                const AdaRoundOptions& options = {});

}  // namespace lapis
