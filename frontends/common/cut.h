// The part of a graph that is wanted: between values that become its inputs and values that are its outputs.
#pragma once

#include "base/result.h"
#include "frontends/common/options.h"
#include "ir/graph.h"

namespace lapis::frontend {

// By options.inputs and options.outputs, names of values; changes nothing where both are empty. Inputs that are left
// over go. Errors: names that no value has, outputs that need other inputs, a signature, which is for formats that have
// them.
Status cut(Graph& graph, const ImportOptions& options);

}  // namespace lapis::frontend
