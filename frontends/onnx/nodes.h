// What the import asks of a node as it is written in the model.
#pragma once

#include <string>

#include "frontends/common/order.h"
#include "frontends/common/unsupported.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

std::string plain_domain(const std::string& domain);  // "ai.onnx" is ""
// "node 'Conv_12' (Conv)"; nodes without a name go by their first output.
std::string location_of(const onnx::NodeProto& node);
// What the node reads, its subgraphs' reads from the graphs around them included, and what it writes.
frontend::OrderedNode reads_and_writes(const onnx::NodeProto& node);
// For the report: `where` names the node of the model; `owner` is the operator whose definition contains the node, if it comes from one.
frontend::UnsupportedNode unsupported(const onnx::NodeProto& node, const std::string& where, const std::string& owner);

// Nodes of the main graph, of subgraphs and of functions, before anything is expanded.
size_t nodes_written(const onnx::ModelProto& model);

}  // namespace lapis::onnx_frontend
