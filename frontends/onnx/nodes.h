// What the import asks of a node as it is written in the model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontends/common/order.h"
#include "frontends/common/unsupported.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

std::string plain_domain(const std::string& domain);  // "ai.onnx" is ""
// "node 'Conv_12' (Conv)"; nodes without a name go by their first output.
std::string location_of(const onnx::NodeProto& node);
// What the node reads, its subgraphs' reads from the graphs around them included, and what it writes.
frontend::OrderedNode reads_and_writes(const onnx::NodeProto& node);
// For the report: `where` names the node of the model;
// `owner` is the operator whose definition contains the node, if it comes from one.
frontend::UnsupportedNode unsupported(const onnx::NodeProto& node, const std::string& where, const std::string& owner);

// ---- reading and changing nodes -----------------------------------------------------------------------------------

const onnx::AttributeProto* attribute(const onnx::NodeProto& node, std::string_view name);  // null if there is none
int64_t int_or(const onnx::NodeProto& node, std::string_view name, int64_t fallback);
float float_or(const onnx::NodeProto& node, std::string_view name, float fallback);
std::string string_or(const onnx::NodeProto& node, std::string_view name, const std::string& fallback);
std::vector<int64_t> ints(const onnx::AttributeProto& attribute);
void remove_attribute(onnx::NodeProto& node, std::string_view name);
void set_string(onnx::NodeProto& node, const std::string& name, const std::string& value);
void set_int(onnx::NodeProto& node, const std::string& name, int64_t value);
void set_float(onnx::NodeProto& node, const std::string& name, float value);
void set_floats(onnx::NodeProto& node, const std::string& name, const std::vector<float>& values);
void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
void set_input(onnx::NodeProto& node, int i, const std::string& value);
bool has_output(const onnx::NodeProto& node, int i);
onnx::NodeProto make_node(const std::string& op, std::vector<std::string> inputs, const std::string& output);

// ---- models -------------------------------------------------------------------------------------------------------

// Nodes of the main graph, of subgraphs and of functions, before anything is expanded.
size_t nodes_written(const onnx::ModelProto& model);

}  // namespace lapis::onnx_frontend
