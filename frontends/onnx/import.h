// ONNX models become Graphs at the canonical opset: old operator forms are upgraded, model functions and operators that
// ONNX defines by others are expanded, weights in other files are mapped, and everything that cannot be imported is
// reported at once.
//
//   LAPIS_TRY(auto graph, import_onnx("resnet50.onnx", {.dims = {{"N", 1}}}));
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "frontends/common/options.h"
#include "ir/graph.h"

namespace lapis {

inline constexpr int kCanonicalOpset = 25;                 // what a Graph means; records implement it
inline constexpr int kOldestOpset = 1, kNewestOpset = 28;  // what import accepts
inline constexpr int kOldestIrVersion = 3, kNewestIrVersion = 14;

// A .onnx file, or ONNX text if its name ends in .onnxtxt. Weights in other files are found relative to it.
Result<std::unique_ptr<Graph>> import_onnx(const Path& file, const ImportOptions& options = {});
// The same of a file that is mapped already.
Result<std::unique_ptr<Graph>> import_onnx(const Path& file, const MappedFile& mapped, const ImportOptions& options);
// Whether a file is taken for ONNX: by its name if it is text, else by its content.
bool is_onnx(const Path& file, std::span<const std::byte> bytes);
// The bytes of a .onnx file; `name` stands for it in messages. Weights in other files are refused.
Result<std::unique_ptr<Graph>> import_onnx(std::span<const std::byte> bytes, const std::string& name,
                                           const ImportOptions& options = {});
// ONNX's text syntax: <ir_version: 10, opset_import: ["" : 21]> g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }
Result<std::unique_ptr<Graph>> parse_onnx_text(std::string_view text, const std::string& name,
                                               const ImportOptions& options = {});

}  // namespace lapis
