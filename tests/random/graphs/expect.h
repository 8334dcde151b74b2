// What a graph may give.
//
// Floats are held against what they may be: the reference is evaluated again with every inexact operator (sums, exp,
// ...) off by some units of the last place, and a result may lie as far from the reference as these runs do. Where they
// disagree about more than that (one has NaN, a truth value flips), the graph does not determine the result. What only
// exact operators lead to must be equal bit for bit.
#pragma once

#include <vector>

#include "ir/evaluate.h"

namespace lapis::random_graphs {

// The graph's outputs as they are, and as they may also be.
struct Expectation {
  std::vector<Tensor> outputs;
  std::vector<std::vector<Tensor>> others;  // one list a perturbed run
  std::vector<bool> exact;                  // no inexact operator leads to the output
};
Result<Expectation> expect(const Graph& graph, const Feeds& feeds, int runs, uint64_t seed);
// An operator whose result the definition fixes to the last bit for these operand types.
bool is_exact(const Node& node);
// Half a unit of the last place of 1: what one rounding in a float type may be off by, relatively.
double unit_of(DType dtype);

}  // namespace lapis::random_graphs
