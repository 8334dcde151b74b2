// ONNX Runtime as a second opinion: run in a Python process (package onnxruntime), never linked.
#pragma once

#include "driver/runner.h"

namespace lapis::cli {

Result<std::vector<Tensor>> run_onnxruntime(const Path& model, const std::vector<IoInfo>& input_infos,
                                            const std::vector<Tensor>& inputs, const std::vector<IoInfo>& output_infos);

}  // namespace lapis::cli
