#include "frontends/pytorch/import.h"

#include "frontends/common/importing.h"
#include "frontends/pytorch/exported.h"
#include "frontends/pytorch/script.h"

namespace lapis {
namespace {

// `options` are left without what the reader has used.
Result<frontend::SourceGraph> read(const MappedFile& file, ImportOptions& options) {
  if (!pytorch_frontend::is_torchscript(file.bytes())) return pytorch_frontend::read_exported_program(file, options);
  LAPIS_TRY(pytorch_frontend::ScriptModel model, pytorch_frontend::read_torchscript(file, options));
  for (const std::string& number : model.numbers) {
    options.dims.erase(number);
    options.values.erase(number);
  }
  return std::move(model.graph);
}

Result<std::unique_ptr<Graph>> import_file(const MappedFile& file, const std::string& name, ImportOptions options) {
  return frontend::importing(name, [&]() -> Result<std::unique_ptr<Graph>> {
    LAPIS_TRY(const frontend::SourceGraph source, read(file, options));
    // Values that are no number of forward() are those of inputs, which the graph is bound to afterwards.
    Diagnostics found = pytorch_frontend::unknown_inputs(source.inputs, options);
    auto graph = translate(source, pytorch_frontend::dialect(), options);
    if (found.empty()) return graph;
    for (const Diagnostic& d : graph.diagnostics()) found.push_back(d);
    return found;
  });
}

}  // namespace

bool is_pytorch(const Path&, std::span<const std::byte> bytes) {
  return pytorch_frontend::is_exported_program(bytes) || pytorch_frontend::is_torchscript(bytes);
}

Result<std::unique_ptr<Graph>> import_pytorch(const Path& path, const MappedFile& file, const ImportOptions& options) {
  return import_file(file, path.filename().string(), options);
}

Result<std::unique_ptr<Graph>> import_pytorch(std::span<const std::byte> bytes, const std::string& name,
                                              const ImportOptions& options) {
  return import_file(frontend::copy_of(bytes), name, options);
}

namespace pytorch_frontend {

const frontend::Dialect& dialect() {
  static const frontend::Dialect kDialect{
      .translators = translators(),
      .hint = "torch.onnx.export(model, inputs, 'model.onnx', dynamo=True) may convert the model to ONNX",
      .refused = refused(),
      .resolved = resolved()};
  return kDialect;
}

}  // namespace pytorch_frontend

}  // namespace lapis
