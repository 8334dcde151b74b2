// TensorFlow's models become Graphs: frozen graphs, binary or as text, SavedModel folders, and the graphs beside
// checkpoints of TensorFlow 1 (.meta). Channels are first inside, with the layouts of the model
// at its inputs and outputs; constants that only say how are folded (docs/importing-tensorflow.md).
//
//   LAPIS_TRY(auto graph,  // frontends/frontend.h
//             import_model("graph.pb", {.inputs = {"image"}, .outputs = {"prob"}}));
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "frontends/common/translate.h"

namespace lapis {

bool is_tensorflow(const Path& path, std::span<const std::byte> bytes);
Result<std::unique_ptr<Graph>> import_tensorflow(const Path& path, const MappedFile& file,
                                                 const ImportOptions& options);
// The bytes of a frozen graph; `name` stands for it in messages.
Result<std::unique_ptr<Graph>> import_tensorflow(std::span<const std::byte> bytes, const std::string& name,
                                                 const ImportOptions& options = {});

namespace tensorflow_frontend {
// One row an operator, alphabetical.
std::span<const frontend::Translator> translators();
std::span<const frontend::Refused> refused();
std::span<const frontend::Resolved> resolved();  // flatten.cpp
const frontend::Dialect& dialect();
// What follows the reading of a file of any framework that speaks of TensorFlow's operators.
Result<std::unique_ptr<Graph>> translate_operators(const frontend::SourceGraph& source, const ImportOptions& options);
}  // namespace tensorflow_frontend

}  // namespace lapis
