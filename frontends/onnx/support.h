// What Lapis makes of ONNX's operators, of its own registry and of those that other domains add.
#pragma once

#include "frontends/common/support.h"

namespace lapis::onnx_frontend {

// As of the newest opset: each has a record, or is replaced by its definition, or is refused.
std::vector<frontend::SupportedOperator> operators();

}  // namespace lapis::onnx_frontend
