// What a model declares of its values beside what its operators imply: declarations are often stale, never the other way round.
#pragma once

#include "ir/graph.h"

namespace lapis::onnx_frontend {

// What the operators imply, completed by what the model declares.
Type complete(Type inferred, const Type& declared);

// Models keep declarations that no longer fit their operators. Where the shape itself is computed, what an operator does with
// its elements still tells a stale one, which is then worth nothing.
bool fits_operand(const Node& node, const Type& declared);

}  // namespace lapis::onnx_frontend
