// Compiles the loops of a Plan and runs them in this process, with guard bytes around every buffer.
#pragma once

#include "codegen/plan.h"

namespace lapis::testing {

// A Plan of loops over inputs and outputs that a test holds as tensors.
struct LoopPlan {
  Plan plan;
  std::vector<Tensor> inputs;

  int input(Tensor tensor);  // buffer ids
  int output(DType dtype, Shape shape);
  int constant(const Tensor& tensor);
  void add(Loop loop);
};

View dense_view(int buffer, DType dtype, Shape shape);
View strided_view(int buffer, DType dtype, Shape shape, Shape strides, int64_t offset = 0);

struct RunResult {
  std::vector<Tensor> outputs;
  int32_t status = 0;
  std::vector<int64_t> units;
};

// Runs all units of each loop in `pieces` calls, last piece first. Fails the current test if a guard byte changed.
RunResult run_loops(const LoopPlan& loops, const Target& target, int pieces = 1);

// The levels that this host can execute, weakest first: AVX2, AVX-512 if present, and all that it has.
std::vector<Target> runnable_levels();

}  // namespace lapis::testing
