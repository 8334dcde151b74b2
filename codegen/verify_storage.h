// The invariants B1 and B2 of verify_plan.h: where buffers lie. What else is true of a plan is checked through them.
#pragma once

#include "base/diagnostic.h"
#include "codegen/plan.h"

namespace lapis::codegen {

Diagnostics verify_storage(const Plan& plan);

}  // namespace lapis::codegen
