// MXNet models become Graphs: a symbol file (NAME-symbol.json) and the parameters beside it (NAME-0000.params), of
// MXNet 0.8 to 1.9 and of Gluon (docs/frontends.md). Either file stands for the model.
//
//   LAPIS_TRY(auto graph, import_model("det1-symbol.json"));   // the door for all formats (frontends/frontend.h)
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "frontends/common/translate.h"

namespace lapis {

bool is_mxnet(const Path& path, std::span<const std::byte> bytes);
Result<std::unique_ptr<Graph>> import_mxnet(const Path& path, const MappedFile& file, const ImportOptions& options);
// The bytes of both files; `name` stands for them in messages.
Result<std::unique_ptr<Graph>> import_mxnet(std::span<const std::byte> symbol, const MappedFile& params,
                                            const std::string& name, const ImportOptions& options = {});

namespace mxnet_frontend {
// One row an operator, alphabetical.
std::span<const frontend::Translator> translators();
std::span<const frontend::Refused> refused();
std::span<const frontend::Resolved> resolved();
const frontend::Dialect& dialect();
}  // namespace mxnet_frontend

}  // namespace lapis
