// One of ONNX's own test cases, as generate.py lays it down in the build folder.
#pragma once

#include <optional>
#include <vector>

#include "base/file.h"
#include "base/tensor.h"

namespace lapis::conformance {

struct Case {
  std::string id;  // "node/test_abs"
  Path folder;
  double rtol = 0, atol = 0;
};

struct DataSet {
  std::vector<std::optional<Tensor>> inputs, outputs;  // none: a sequence or an optional
};

std::vector<Case> list_cases(const Path& root);  // empty if generate.py did not run
std::vector<DataSet> read_data(const Case& c);
std::string model_bytes(const Case& c);
// The model with all inputs but the first made initializers, which is what most operands are in real models.
std::string model_with_constants(const Case& c);

// Why `got` is not what the case expects, by the rules of onnx.backend.test.runner; "" if it is.
// Integers must be equal.
std::string difference(const Tensor& got, const Tensor& wanted, double rtol, double atol);

}  // namespace lapis::conformance
