// The formats that models come in. `import_model` is the only door:
// it asks each frontend of the list whether a file is its, by content.
//
//   LAPIS_TRY(auto graph, import_model("resnet8.tflite", {.dims = {{"input_1_dim0", 1}}}));
//
// A new format is a folder with a reader, a table of translators
// (frontends/common/translate.h) and an entry in frontends().
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/file.h"
#include "frontends/common/options.h"
#include "frontends/common/support.h"
#include "ir/graph.h"

namespace lapis {

struct Frontend {
  std::string_view name;   // "onnx"; in reports
  std::string_view title;  // "ONNX"; in messages
  // Whether a file, or a folder (then without bytes), is of this format. Looks at little and reads nothing into memory.
  bool (*recognizes)(const Path& path, std::span<const std::byte> bytes);
  // Everything that is wrong or unsupported is reported at once, located in the file.
  Result<std::unique_ptr<Graph>> (*import)(const Path& path, const MappedFile& file, const ImportOptions& options);
  // The support table: what becomes of each operator that the frontend knows, or why it is refused.
  std::vector<frontend::SupportedOperator> (*operators)();
  bool imports_parts = false;   // knows inputs, outputs and signatures of the options; else the graph is cut behind it
  bool has_signatures = false;  // knows those at least
  // What the graph looks like depends on sizes and numbers: knows dims, shapes and values of the options. Those that
  // are not an input of the graph are used up.
  bool asks_for_sizes = false;
};

// In the order in which they are asked.
std::span<const Frontend> frontends();
// The frontend that reads `path`; null if none does or the file cannot be opened.
const Frontend* frontend_of(const Path& path);
// Whether own translators can be used together: each is of a framework that has translators,
// none takes the place of another one.
Status check_translators(std::span<const frontend::OwnTranslator> translators);
// A model file of any format, as a valid ONNX graph. Errors: ErrorKind::Input for what is no model or a damaged one (a
// format that is known but not read is named, with advice), ErrorKind::Unsupported with every operator that cannot be
// imported, ErrorKind::Io.
Result<std::unique_ptr<Graph>> import_model(const Path& path, const ImportOptions& options = {});

}  // namespace lapis
