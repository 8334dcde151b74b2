// The attention that Attention and QAttention share.
#pragma once

#include "frontends/onnx/definitions/definition.h"

namespace lapis::onnx_frontend::definitions {

// `projected` makes [batch, sequence, queries + keys + values] of that name, by a product with the operand `weights`.
Body attention_of(const Call& call, const std::string& weights, const std::string& projected);

}  // namespace lapis::onnx_frontend::definitions
