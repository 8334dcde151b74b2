#include "frontends/onnx/limits.h"

#include <onnx/onnx_pb.h>

namespace lapis::onnx_frontend {
namespace {

constexpr size_t kFreeNodes = 100'000, kNodesPerNode = 100;
constexpr size_t kFreeBytes = size_t{64} << 20, kBytesPerByte = 64;

size_t count_nodes(const onnx::GraphProto& graph);
template <class Body> size_t count_nodes_of(const Body& body) {
  size_t count = 0;
  for (const auto& node : body.node()) {
    ++count;
    for (const auto& a : node.attribute()) count += a.has_g() ? count_nodes(a.g()) : 0;
  }
  return count;
}
size_t count_nodes(const onnx::GraphProto& graph) { return count_nodes_of(graph); }

size_t nodes_written(const onnx::ModelProto& model) {
  size_t written = count_nodes(model.graph());
  for (const auto& function : model.functions()) written += count_nodes_of(function);
  return written;
}

}  // namespace

Limits::Limits(const onnx::ModelProto& model)
    : nodes(kFreeNodes + kNodesPerNode * nodes_written(model)),
      bytes(kFreeBytes + kBytesPerByte * model.ByteSizeLong()) {}

}  // namespace lapis::onnx_frontend
