// Adding nodes to a graph whose values have types.
#pragma once

#include "ir/graph.h"

namespace lapis {

// A node with `outputs` results, at the end or before another, and its first result.
// Operands that do not fit the operator are a bug.
Value* add_typed(Graph& graph, const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {},
                 Node* before = nullptr, size_t outputs = 1);

// The mean, maximum, ... (`op`, a reduction) of a value over all axes but `kept`.
Value* reduce_all_but(Graph& graph, const OpDef& op, Value* x, int64_t kept);

}  // namespace lapis
