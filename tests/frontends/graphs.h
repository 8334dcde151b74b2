// What the tests of the frontends share: graphs from text, and the first difference between two graphs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace lapis {

// The graph of `body` ("(float[2] x) => (float[2] y) { y = Relu(x) }") at an opset;
// a failed import fails the test and gives null.
std::unique_ptr<Graph> graph_of(std::string_view body, int opset = 25);
// The diagnostics of a body that must not import, as text.
std::string errors_of(std::string_view body, int opset = 25);

// Empty if the graphs are the same: names, types, attributes, constants and wiring, subgraphs included.
std::string difference(const Graph& a, const Graph& b);

// "Squeeze, Relu": the operators in order.
std::string operators_of(const Graph& graph);
// Transposes that neither read an input of the model nor make an output.
size_t transposes_inside(const Graph& graph);

}  // namespace lapis
