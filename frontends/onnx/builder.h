// ModelProto to Graph.
#pragma once

#include <memory>

#include "frontends/onnx/import.h"
#include "frontends/onnx/protos.h"
#include "frontends/onnx/tensors.h"

namespace lapis::onnx_frontend {

// Takes the large tensors out of `model`, or out of what was set apart from it. Locations in diagnostics are nodes and
// values; the caller adds the file.
Result<std::unique_ptr<Graph>> build_graph(onnx::ModelProto& model, const RawData& raw, ExternalFiles& files,
                                           const ImportOptions& options);

}  // namespace lapis::onnx_frontend
