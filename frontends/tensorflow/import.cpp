#include "frontends/tensorflow/import.h"

#include "frontends/common/foreign.h"
#include "frontends/common/importing.h"
#include "frontends/tensorflow/frames.h"
#include "frontends/tensorflow/saved_model.h"
#include "frontends/tensorflow/text_format.h"

namespace lapis {
namespace {

using namespace tensorflow_frontend;

Part part_of(const ImportOptions& options) {
  Part part;
  part.values = options.values;
  part.from_user = !options.inputs.empty() || !options.outputs.empty();
  for (const std::string& name : options.inputs) part.inputs.push_back(Part::of(name));
  for (const std::string& name : options.outputs) part.outputs.push_back(Part::of(name));
  return part;
}

Result<std::unique_ptr<Graph>> import_graph(const MappedFile& mapped, const std::string& name,
                                            const ImportOptions& options) {
  return frontend::importing(name, [&]() -> Result<std::unique_ptr<Graph>> {
    MappedFile file = mapped;
    if (frontend::is_tensorflow_text(text_of(mapped.bytes()))) {
      LAPIS_TRY(const std::string binary, graph_from_text(text_of(mapped.bytes())));
      file = frontend::copy_of(std::as_bytes(std::span(binary)));
    }
    Model model;
    LAPIS_TRY(model.graph, parse_graph(text_of(file.bytes())));
    LAPIS_CHECK(structure_loops(model.graph));
    model.owner = file.data;
    model.bytes = file.size;
    LAPIS_TRY(const frontend::SourceGraph source, flatten(model, part_of(options)));
    return translate_operators(source, options);
  });
}

Result<std::unique_ptr<Graph>> import_saved(Result<SavedModel> (*read)(const Path&, const ImportOptions&),
                                            const Path& path, const ImportOptions& options) {
  return frontend::importing(path.filename().string(), [&]() -> Result<std::unique_ptr<Graph>> {
    LAPIS_TRY(const SavedModel saved, read(path, options));
    LAPIS_TRY(const frontend::SourceGraph source, flatten(saved.model, saved.part));
    return translate_operators(source, options);
  });
}

}  // namespace

bool is_tensorflow(const Path& path, std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  if (!saved_model_folder(path).empty() && (text.empty() || frontend::is_saved_model(text))) return true;
  return frontend::is_tensorflow_graph(text) || frontend::is_meta_graph(text) || frontend::is_tensorflow_text(text);
}

Result<std::unique_ptr<Graph>> import_tensorflow(const Path& path, const MappedFile& file,
                                                 const ImportOptions& options) {
  const Path folder = saved_model_folder(path);
  const std::string_view text = text_of(file.bytes());
  if (!folder.empty() && !frontend::is_tensorflow_graph(text)) return import_saved(read_saved_model, folder, options);
  if (frontend::is_meta_graph(text)) return import_saved(read_checkpoint, path, options);
  return import_graph(file, path.filename().string(), options);
}

Result<std::unique_ptr<Graph>> import_tensorflow(std::span<const std::byte> bytes, const std::string& name,
                                                 const ImportOptions& options) {
  return import_graph(frontend::copy_of(bytes), name, options);
}

namespace tensorflow_frontend {

const frontend::Dialect& dialect() {
  static const frontend::Dialect kDialect{
      .translators = translators(),
      .hint =
          "name the part of the model that is wanted with --inputs and --outputs, if it lies outside of it; "
          "`lapis ops --framework tensorflow` lists the operators",
      .folds_constants = true,
      .refused = refused(),
      .resolved = resolved()};
  return kDialect;
}

Result<std::unique_ptr<Graph>> translate_operators(const frontend::SourceGraph& source, const ImportOptions& options) {
  return translate(source, dialect(), options);
}

}  // namespace tensorflow_frontend

}  // namespace lapis
