// What a model may be expanded to: functions that call functions could make a small file explode (docs/security.md).
#pragma once

#include <cstddef>

#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

// Nodes and bytes of what is expanded, in total, in proportion to those of the file.
struct Limits {
  explicit Limits(const onnx::ModelProto& model);
  size_t nodes, bytes;
};

}  // namespace lapis::onnx_frontend
