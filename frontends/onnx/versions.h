// The versions that a model says it is written in.
#pragma once

#include <optional>

#include "base/diagnostic.h"
#include "frontends/onnx/protos.h"
#include "frontends/onnx/scope.h"

namespace lapis::onnx_frontend {

// Why an opset of ai.onnx is not read, with what to do.
std::optional<Diagnostic> check_opset(int64_t version);
// What of them Lapis does not read; `opsets` are those that the model imports.
Diagnostics check_versions(const onnx::ModelProto& model, const Opsets& opsets);

}  // namespace lapis::onnx_frontend
