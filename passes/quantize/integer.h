// Pass "integer": QDQ and QOperator graphs to operators that compute on the integers, all of them plain ONNX. The
// reference evaluator on the result defines the exact int8 meaning of a model (docs/quantization.md).
#pragma once

#include <string>
#include <vector>

#include "passes/pass.h"

namespace lapis {

// Contractions, averages and value-preserving operators between DequantizeLinear and QuantizeLinear work on integers
// afterwards.
Status integer(Graph& graph, PassContext& context);
Pipeline integer_passes();

// The rules, in the order of the phases they belong to. Each application leaves fewer operators that work on floats
// (movements, averages, contractions), or fewer pairs and weights with zero points, and none adds to what another takes
// away, so that the pass ends: dequantizers only move down, quantizers only up, and where they meet they cancel.
std::span<const Rule> byte_rules();        // move bytes instead of floats, cancel pairs, int8 weights with zero point 0
std::span<const Rule> channel_rules();     // factors and shifts of channels go into scales and biases
std::span<const Rule> requantize_rules();  // Q(contraction(DQ...)) => one integer operator with one multiply
std::span<const Rule> accumulate_rules();  // contraction(DQ...), average(DQ...) => integer sum, then one float multiply
std::span<const Rule> leftover_rules();    // DequantizeLinear of a constant that nobody could use => float constant

// Q(f(DQ x)) => Gather(table of 256 bytes, Cast(x)), for f that computes functions of x and of constant numbers:
// SiLU, GELU, tanh, ... The last phase, because it hides what f was. The main graph only.
inline constexpr std::string_view kByteTableRule = "integer.byte-table";
void tabulate_byte_functions(Graph& graph, const PassContext& context);

// Elementwise operators that are the same IEEE operations everywhere.
bool is_exact_elementwise(const Node& node);

// What is left after the pass.
struct IntegerReport {
  struct Left {
    std::string node, op, why;
  };
  size_t integer_nodes = 0;      // compute on integers only
  std::vector<Left> boundaries;  // QuantizeLinear and DequantizeLinear, and what they stand between
  std::vector<Left>
      // elementwise on floats by operations that are exact everywhere: computed in registers between integers
      registers;
  std::vector<Left> islands;  // every other float operator
  bool byte_exact = true;     // the same bytes on every machine: floats are moved or combined by exact operations only
};
IntegerReport describe_integer(const Graph& graph);

// Whether floats that depend on how they are computed (sums, exponentials, ...) become integers somewhere: one that
// lies beside a tie falls to one side here and to the other there, and a step of the scale lies between.
bool quantizes_inexact_floats(const Graph& graph);

}  // namespace lapis
