// Printing for people: error messages, assertions, dumps while debugging. The exchange format is ONNX's text syntax
// (frontends/onnx).
#pragma once

#include <string>

#include "ir/graph.h"

namespace lapis {

std::string print(const Attribute& attribute);  // "1", "[1, 2]", "\"SAME_UPPER\"", "float[2] {0, 1}"
std::string print(const Node& node);            // y = Conv<group = 1>(x: uint8[1,64,56,56], w: int8[256,128,3,3])
// name (float[N,3] x) => (float[N,4] y) { constants and nodes, one a line, subgraphs indented }
std::string print(const Graph& graph);
// "node 'Conv_12' (Conv)": the location that diagnostics give.
std::string location_of(const Node& node);

}  // namespace lapis
