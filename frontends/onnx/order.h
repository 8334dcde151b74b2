// Names and order within one ONNX graph: what is defined twice, not at all, or in a circle.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

// "node 'Conv_12' (Conv)"; nodes without a name go by their first output.
std::string location_of(const onnx::NodeProto& node);

struct Order {
  std::vector<onnx::NodeProto*> nodes;  // topological; the given order where that is valid already
  Diagnostics diagnostics;              // names without a definition, names with several, cycles
};

// `is_defined` tells which names exist before the first node: inputs, initializers, values of enclosing graphs.
Order topological_order(const std::vector<onnx::NodeProto*>& nodes,
                        const std::function<bool(const std::string&)>& is_defined);

}  // namespace lapis::onnx_frontend
