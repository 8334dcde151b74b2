// Operators without code, evaluated by the reference in the middle of compiled code. Only in the process that compiled
// the model: the function cannot be stored in a file.
#pragma once

#include "codegen/plan.h"
#include "ir/graph.h"

namespace lapis::codegen {

// The node by itself on its operands that are there. Keeps a copy: the graph may change or go.
HostFunction host_function(const Node& node);
// False for control flow, whose bodies see values around them, and for who cannot be evaluated at all.
bool can_be_called(const Node& node);

}  // namespace lapis::codegen
