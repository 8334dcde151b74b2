// Old forms of ONNX operators in terms of the canonical opset: attributes that became inputs, operators that were
// renamed, defaults and meanings that changed. Works on one node at a time, wherever it stands: in the main graph, a
// subgraph or a function body.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "frontends/onnx/protos.h"
#include "ir/type.h"

namespace lapis::onnx_frontend {

// What an upgrade may ask of and add to the graph around the node.
class UpgradeHost {
 public:
  virtual ~UpgradeHost() = default;
  virtual const Type* type_of(const std::string& value) = 0;                     // null if not known
  virtual const Tensor* constant_of(const std::string& value) = 0;               // null if not constant
  virtual std::string add_constant(Tensor tensor, const std::string& hint) = 0;  // returns the value's name
  virtual std::string fresh_name(const std::string& hint) = 0;
  virtual void add_before(onnx::NodeProto node) = 0;  // a node of the canonical opset
};

// Rewrites `node`, valid at ai.onnx opset `version`, into the canonical opset; an error if there is no equivalent.
Status upgrade_node(onnx::NodeProto& node, int version, UpgradeHost& host);

}  // namespace lapis::onnx_frontend
