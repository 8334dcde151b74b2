// Executes a Plan with plain loops and doubles: separates mistakes of lowering from mistakes of the emitters.
#pragma once

#include <vector>

#include "codegen/plan.h"

namespace lapis::testing {

// `plan` needs planned memory; a schedule only for products whose weights are computed.
// Inputs in the order of plan.inputs.
std::vector<Tensor> interpret(const Plan& plan, const std::vector<Tensor>& inputs);

}  // namespace lapis::testing
