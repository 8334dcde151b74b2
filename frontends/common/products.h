// Products of matrices, whatever order their rows stand in.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

// Operand 0 times the weights, operand 1 [in, out]; where operand 0 is an image that was flattened in planes, the rows
// of constant weights are turned to go with them.
Result<Value*> product_with_weights(Translation& t);

}  // namespace lapis::frontend
