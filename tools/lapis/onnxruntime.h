// ONNX Runtime as a second opinion: run in a Python process (package onnxruntime), never linked.
#pragma once

#include "base/file.h"
#include "runtime/program.h"

namespace lapis::cli {

// The model as it stands: ONNX Runtime's graph optimizer is off, because it rounds in other places. Tensors travel as
// raw bytes, so types that numpy lacks and scalars arrive as they are.
Result<std::vector<Tensor>> run_onnxruntime(const Path& model, const std::vector<IoInfo>& input_infos,
                                            const std::vector<Tensor>& inputs, const std::vector<IoInfo>& output_infos);

}  // namespace lapis::cli
