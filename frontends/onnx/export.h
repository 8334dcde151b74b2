// Graphs as ONNX models that other tools can open:
// the lowest opset that means the same, types of all values, deterministic bytes.
// import_onnx of the result gives the same graph again.
//
//   LAPIS_CHECK(export_onnx(graph, "resnet50_int8.onnx"));
#pragma once

#include <cstdint>
#include <string>

#include "base/file.h"
#include "ir/graph.h"

namespace lapis {

struct ExportOptions {
  // Models with more bytes of constants keep them in a second file, "<file name>.data"; protobuf ends at 2 GiB.
  int64_t largest_single_file = int64_t{2'000'000'000};
  // Products with weights in blocks of few bits as ONNX Runtime's MatMulNBits;
  // fails where the model has none, and above the 2 GiB.
  bool matmul_nbits = false;
};
Status export_onnx(const Graph& graph, const Path& file, const ExportOptions& options = {});
Result<std::string> export_onnx(const Graph& graph, const ExportOptions& options = {});  // the bytes of a .onnx file

struct TextOptions {
  int64_t largest_constant =
      INT64_MAX;  // elements; the contents of larger ones are left out, and such text is for reading only
  bool canonical_names =
      false;  // v1, v2, ... instead of the values' own names, to compare graphs; inputs and outputs keep theirs
  bool value_types = false;  // the types of all values, not only of inputs and outputs
};
// ONNX's text syntax; parse_onnx_text reads it back, 4-bit and complex constants excepted,
// whose contents the syntax cannot hold.
std::string to_onnx_text(const Graph& graph, const TextOptions& options = {});

// The oldest ai.onnx opset, from 13 on, in which the graph means what it means in the canonical one.
int lowest_opset(const Graph& graph);

}  // namespace lapis
