// The weights of a Conv, Gemm or MatMul as rows of neighbouring inputs (sparsity.h says in which order).
#pragma once

#include <vector>

#include "base/result.h"
#include "ir/graph.h"

namespace lapis {

// Constant float weights and where each of them stands.
struct WeightMatrix {
  Node* node = nullptr;
  Value* weight = nullptr;
  int64_t groups = 1, outputs = 0;          // of one group
  int64_t taps = 1, channels = 0;           // of the inputs of one output
  int64_t output_axis = 0, input_axis = 1;  // of the tensor
  int64_t inputs() const { return taps * channels; }
  int64_t rows() const { return groups * outputs; }

  std::vector<double> read() const;  // [rows][taps][channels]
  Tensor stored(const std::vector<double>& values) const;

 private:
  size_t place(int64_t row, int64_t input) const;
};

// Or why the weights of the node cannot be pruned.
Result<WeightMatrix> weight_matrix(Node& node);

}  // namespace lapis
