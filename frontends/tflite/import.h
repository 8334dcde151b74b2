// TFLite models become Graphs: channels first inside, with the layouts of the file at inputs and outputs; quantized
// tensors are Q/DQ pairs with the scales of the file (docs/importing-tflite.md).
//
//   LAPIS_TRY(auto graph, import_model("resnet8_int8.tflite"));   // the door for all formats (frontends/frontend.h)
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "frontends/common/translate.h"

namespace lapis {

bool is_tflite(const Path& path, std::span<const std::byte> bytes);
Result<std::unique_ptr<Graph>> import_tflite(const Path& path, const MappedFile& file, const ImportOptions& options);
// The bytes of a .tflite file; `name` stands for it in messages.
Result<std::unique_ptr<Graph>> import_tflite(std::span<const std::byte> bytes, const std::string& name,
                                             const ImportOptions& options = {});

namespace tflite_frontend {
// One row an operator, alphabetical.
std::span<const frontend::Translator> translators();
const frontend::Dialect& dialect();
// The builtin operators without a row, and why. Those of StableHLO are refused as a family (names that begin so).
std::span<const frontend::Refused> refused();
std::span<const frontend::Resolved> resolved();
}  // namespace tflite_frontend

}  // namespace lapis
