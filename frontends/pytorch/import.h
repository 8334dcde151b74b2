// PyTorch models become Graphs: exported programs (.pt2) and TorchScript archives (.pt), read without PyTorch and
// without running anything that they hold (docs/frontends.md).
//
//   LAPIS_TRY(auto graph, import_model("resnet20.pt2"));   // the door for all formats (frontends/frontend.h)
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "frontends/common/translate.h"

namespace lapis {

bool is_pytorch(const Path& path, std::span<const std::byte> bytes);
Result<std::unique_ptr<Graph>> import_pytorch(const Path& path, const MappedFile& file, const ImportOptions& options);
// The bytes of a file; `name` stands for it in messages.
Result<std::unique_ptr<Graph>> import_pytorch(std::span<const std::byte> bytes, const std::string& name,
                                              const ImportOptions& options = {});

namespace pytorch_frontend {
// One row an operator, alphabetical.
std::span<const frontend::Translator> translators();
std::span<const frontend::Refused> refused();
std::span<const frontend::Resolved> resolved();  // script_quantized.cpp
const frontend::Dialect& dialect();
}  // namespace pytorch_frontend

}  // namespace lapis
