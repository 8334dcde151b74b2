// ONNX Runtime as a second opinion: run in a Python process (package onnxruntime), never linked.
#pragma once

#include "driver/runner.h"

namespace lapis::cli {

// A folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

// The Python interpreter that has the peers: LAPIS_PYTHON, or build/venv of the source tree, or python3.
std::string python();

Result<std::vector<Tensor>> run_onnxruntime(const Path& model, const std::vector<IoInfo>& input_infos,
                                            const std::vector<Tensor>& inputs, const std::vector<IoInfo>& output_infos);

}  // namespace lapis::cli
