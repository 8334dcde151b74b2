// Pruning by the second derivatives of the error (passes/quantize/moments.h):
// what a weight loses is made good by those that stay.
//
// Frantar and Alistarh, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot", 2023, algorithm 1:
// columns in their order, the mask of the next ones (128; the M of N:M) chosen by w^2 / [H^-1]_cc of the weights as
// they are by then. Where the mask is given, or whole inputs leave the model, the same elimination runs over it: with
// the inputs that leave first, it is the exact least squares solution.
#pragma once

#include "passes/prune/mask.h"
#include "passes/prune/weights.h"
#include "passes/quantize/moments.h"

namespace lapis {

// Rows of weights, and a bias for each (0 where the node has none); `bias` is empty where moments have none.
struct Rows {
  std::vector<double> weights, bias;
};

// What nodes with their inputs in the order of WeightMatrix are measured by: a 1 among them, so that the bias makes
// good what the mean loses, and as what stands before them has been pruned.
inline constexpr MomentsOptions kMomentsOfRows = {InputOrder::ByTap, true, true};

// The rows of a node with moments, and back.
Rows rows_of(const WeightMatrix& matrix, const InputMoments* moments);
void store_rows(Graph& graph, const WeightMatrix& matrix, const Rows& rows);

// How the inputs of one group belong together: x^T x,
// and x0^T x of the inputs before anything was pruned (empty: they are what they were).
struct GroupMoments {
  const Moments& now;
  const Moments* from = nullptr;
  int64_t size = 0;
};
GroupMoments group_of(const InputMoments& moments, size_t group);

// Prunes the rows of one group, which first become those that make of the inputs as they are what they made of them as
// they were. `mask`: what to prune; empty: chosen on the way, and returned.
Mask prune_group(Rows& rows, const GroupMoments& moments, const Sparsity& sparsity, Mask mask = {});

// Sets the inputs with `gone` to 0 in all rows, likewise.
void remove_inputs(Rows& rows, const GroupMoments& moments, const Mask& gone);

}  // namespace lapis
