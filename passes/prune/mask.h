// Which weights are pruned: those of least worth, as the pattern and the scope of a sparsity allow.
#pragma once

#include <span>
#include <vector>

#include "passes/prune/sparsity.h"

namespace lapis {

using Mask = std::vector<uint8_t>;  // 1: pruned

// What the weights of a matrix, or of some columns of it, are worth: [rows][columns].
struct Worths {
  int64_t rows = 0, columns = 0;
  std::vector<double> values = {};
};

// No matrix loses more than this share of its blocks to a global choice.
inline constexpr double kMostOfATensor = 0.98;

// The masks of several matrices. All of them have the same sparsity;
// one of the scopes `global` and `lamp` is chosen among all, others in each by itself.
// lamp: a weight is worth w^2 over the sum of the squares of its matrix's weights that are no smaller, which is how
// much the matrix would at least be distorted by its loss: Lee et al., "Layer-adaptive sparsity for the magnitude-based
// pruning", ICLR 2021, section 3. Columns of N:M must divide by M. Of equal worths, the first are pruned.
std::vector<Mask> choose_masks(std::span<const Worths> worths, const Sparsity& sparsity);
inline Mask choose_mask(const Worths& worths, const Sparsity& sparsity) {
  return choose_masks({&worths, 1}, sparsity)[0];
}

}  // namespace lapis
