// Pass "expand": operators that others make up are written as those, all of them plain ONNX. What is known about the
// parts (kernels, fusion, quantization) then serves the whole: a transposed convolution is a convolution whose results
// are shuffled, an LSTM a matrix product over the whole sequence and a Scan of small ones, an equation of Einsum matrix
// products, dynamic quantization two reductions and a product whose zero point is taken out of the sums. A shape that
// is only declared is a constant one behind a check.
//
// Models that are saved for other runtimes keep the composite operators, which those have code for,
// unless they are quantized here. Of those that are pruned or put into bfloat16 only the equations are taken apart,
// whose products have weights then that can be.
#pragma once

#include "passes/pass.h"

namespace lapis {

// Each application leaves one composite operator less, or one computed zero point or list of sizes less, and adds none.
std::span<const Rule> transposed_convolution_rules();  // ConvTranspose with constant weights
std::span<const Rule> equation_rules();                // Einsum
std::span<const Rule> recurrent_rules();               // LSTM, GRU, RNN
std::span<const Rule> dynamic_quantization_rules();    // DynamicQuantizeLinear, MatMulInteger and ConvInteger behind it
std::span<const Rule> declared_shape_rules();          // Reshape and its like with computed sizes
std::vector<Rule> expand_rules();

// Expect a simplified graph, and leave one.
Status expand(Graph& graph, PassContext& context);
Status expand_equations(Graph& graph, PassContext& context);
Pipeline expand_passes();

}  // namespace lapis
