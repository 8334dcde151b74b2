// Keras models become Graphs: .h5 files of Keras 1 to 3 and .keras archives, layer by layer (docs/frontends.md).
//
//   LAPIS_TRY(auto graph, import_model("resnet8.h5"));   // the door for all formats (frontends/frontend.h)
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "frontends/common/translate.h"

namespace lapis {

bool is_keras(const Path& path, std::span<const std::byte> bytes);
Result<std::unique_ptr<Graph>> import_keras(const Path& path, const MappedFile& file, const ImportOptions& options);
// The bytes of a model; `name` stands for it in messages.
Result<std::unique_ptr<Graph>> import_keras(std::span<const std::byte> bytes, const std::string& name,
                                            const ImportOptions& options = {});

namespace keras_frontend {
// One row a layer, alphabetical.
std::span<const frontend::Translator> translators();
std::span<const frontend::Refused> refused();
const frontend::Dialect& dialect();
}  // namespace keras_frontend

}  // namespace lapis
