// The example network (examples/fashion_mnist) with its data,
// and the same network quantized once for all tests of a binary.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/target.h"
#include "ir/graph.h"

namespace lapis::testing {

Path example_model();
std::unique_ptr<Graph> example_graph();             // float, batch 1
const Graph& quantized_example();                   // int8 in QDQ form, batch 1
std::vector<Tensor> example_images(int64_t count);  // normalized, evenly spread over the test set

// Parses ONNX text and fixes batch dimensions, as load_model does with files. Fails the test if it cannot.
std::unique_ptr<Graph> graph_from_text(std::string_view body);

}  // namespace lapis::testing
