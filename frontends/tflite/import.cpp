#include "frontends/tflite/import.h"

#include <algorithm>
#include <cstring>

#include "frontends/common/importing.h"
#include "frontends/tflite/read.h"
#include "frontends/tflite/schema.h"
#include "frontends/tflite/translators.h"

namespace lapis {
namespace {

Result<std::unique_ptr<Graph>> import_file(const MappedFile& file, const std::string& name,
                                           const ImportOptions& options) {
  return frontend::importing(name, [&]() -> Result<std::unique_ptr<Graph>> {
    LAPIS_TRY(const frontend::SourceGraph source, tflite_frontend::read_model(file, options.signature));
    return translate(source, tflite_frontend::dialect(), options);
  });
}

}  // namespace

bool is_tflite(const Path&, std::span<const std::byte> bytes) {
  constexpr size_t kAt = 4;
  const std::string_view id = tflite_frontend::kIdentifier;
  return bytes.size() >= kAt + id.size() && std::memcmp(bytes.data() + kAt, id.data(), id.size()) == 0;
}

Result<std::unique_ptr<Graph>> import_tflite(const Path& path, const MappedFile& file, const ImportOptions& options) {
  return import_file(file, path.filename().string(), options);
}

Result<std::unique_ptr<Graph>> import_tflite(std::span<const std::byte> bytes, const std::string& name,
                                             const ImportOptions& options) {
  return import_file(frontend::copy_of(bytes), name, options);
}

namespace tflite_frontend {

const frontend::Dialect& dialect() {
  static const frontend::Dialect kDialect{
      .translators = translators(),
      .hint = "`python -m tf2onnx.convert --tflite FILE --output model.onnx` may convert the model to ONNX",
      .folds_constants = true,
      .refused = refused(),
      .resolved = resolved(),
      .finish = activated};
  return kDialect;
}

}  // namespace tflite_frontend

}  // namespace lapis
