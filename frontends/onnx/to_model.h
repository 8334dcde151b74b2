// Graph to ModelProto, for files and for text.
#pragma once

#include <functional>
#include <string>

#include "frontends/onnx/protos.h"
#include "ir/graph.h"

namespace lapis::onnx_frontend {

struct ModelOptions {
  // Writes a constant's contents; by default into the message.
  std::function<void(const Tensor& tensor, onnx::TensorProto& proto)> write_tensor = nullptr;
  std::function<std::string(const Value& value)> name_of = nullptr;  // by default the value's own
  enum class NodeNames {
    All,
    Telling,
    None
  } node_names = NodeNames::All;  // telling: where they differ from the first output's
  bool value_types = true;
  bool canonical_order = false;  // constants by name, unused ones left out; otherwise as the graph lists them
};
void to_model(const Graph& graph, const ModelOptions& options, onnx::ModelProto& model);

}  // namespace lapis::onnx_frontend
