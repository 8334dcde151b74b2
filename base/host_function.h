// What compiled code calls in the process that compiled it: the evaluation of one node.
// Operands and results are row-major tensors.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"

namespace lapis {

using HostFunction = std::function<Result<std::vector<Tensor>>(const std::vector<Tensor>&)>;

}  // namespace lapis
