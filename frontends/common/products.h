// Products of matrices, whatever order their rows stand in, and of what equations name.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

// Operand 0 times the weights, operand 1 [in, out]; where operand 0 is an image that was flattened in planes, the rows
// of constant weights are turned to go with them.
Result<Value*> product_with_weights(Translation& t);

// Sums over products of operands; those in bfloat16, which ONNX's Einsum does not know, are multiplied in float32.
Result<Value*> einsum(Translation& t, std::vector<Value*> operands, const std::string& equation);
// Of all operands of the node, as they are written.
Result<Value*> einsum(Translation& t, const std::string& equation);

}  // namespace lapis::frontend
