// What a model declares of its values beside what its operators imply:
// declarations are often stale, never the other way round.
#pragma once

#include "base/result.h"
#include "ir/graph.h"

namespace lapis::frontend {

// Completes the type that the operators imply by what the model declares of this output of a node. Another element
// type, or a type that no tensor can have, is an error.
Status complete_type(Value& value, const Type& declared);

}  // namespace lapis::frontend
