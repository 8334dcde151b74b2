// Cross-layer equalization: between two contractions,
// channels trade range of the weights in front for range of the weights behind.
//
//   W2 relu(W1 x + b1)   =   (W2 S) relu(S^-1 W1 x + S^-1 b1)
//   s_c = sqrt(max|W1 of output c| / max|W2 of input c|)
//
// Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.1,
// repeated until nothing moves. It needs no data. Between the two there may be what commutes with positive factors by
// channel: Relu, LeakyRelu, pooling, zero padding.
#pragma once

#include "passes/quantize/place.h"

namespace lapis {

// Equalizes the pairs of Conv and Gemm that are both in fewer bits and whose recipes both say `equalize`, where nothing
// else reads what lies between them. False if there is none; else `placement` is of an older graph.
bool equalize(Graph& graph, const Placement& placement);

}  // namespace lapis
