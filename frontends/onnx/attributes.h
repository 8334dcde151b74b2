// ONNX's AttributeProto and Lapis' Attribute, subgraphs excepted.
#pragma once

#include "frontends/onnx/tensors.h"
#include "ir/graph.h"

namespace lapis::onnx_frontend {

Result<Attribute> to_attribute(onnx::AttributeProto& proto, ExternalFiles& files);
void to_proto(const std::string& name, const Attribute& attribute, onnx::AttributeProto& proto);  // not for graphs

// What a Constant node holds, whichever attribute says it.
Result<Tensor> constant_value(onnx::NodeProto& node, ExternalFiles& files);

}  // namespace lapis::onnx_frontend
