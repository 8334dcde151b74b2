// Weights in few bits, data in floats: for models whose time goes into reading weights.
//
//   y = MatMul(x, w)   =>   y = MatMul(x, DequantizeLinear(wq, scales, zero points))
//
// int8, uint8, int4 or uint4, with a scale for each output channel,
// or for each block of the inputs of one (ONNX's `block_size`, opset 21).
// A weight that is 0 stays 0, so that what was pruned stays pruned. Which integers: rounding.h.
#pragma once

#include "passes/quantize/rounded_weights.h"

namespace lapis {

// Replaces the weights of the nodes of `placement.weights_alone`:
// by those of `rounded`, the others by the nearest integers.
void insert_weights_alone(Graph& graph, const Placement& placement, const RoundedOf& rounded);

}  // namespace lapis
