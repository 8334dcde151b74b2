#include "frontends/frontend.h"

#include "frontends/common/cut.h"
#include "frontends/common/foreign.h"
#include "frontends/common/importing.h"
#include "frontends/keras/import.h"
#include "frontends/mxnet/import.h"
#include "frontends/onnx/import.h"
#include "frontends/pytorch/import.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tflite/import.h"

namespace lapis {
namespace {

constexpr Frontend kFrontends[] = {
    {"onnx", "ONNX", is_onnx, import_onnx},
    {"tflite", "TFLite", is_tflite, import_tflite, false, true},
    {"tensorflow", "TensorFlow", is_tensorflow, import_tensorflow, true},
    {"keras", "Keras", is_keras, import_keras},
    {"mxnet", "MXNet", is_mxnet, import_mxnet},
    {"pytorch", "PyTorch", is_pytorch, import_pytorch},
};

constexpr const char* kAnyModel = "a model that Lapis reads";

const Frontend* recognize(const Path& path, std::span<const std::byte> bytes) {
  for (const Frontend& f : kFrontends)
    if (f.recognizes(path, bytes)) return &f;
  return nullptr;
}

bool is_folder(const Path& path) {
  std::error_code failed;
  return std::filesystem::is_directory(path, failed);
}

Result<std::unique_ptr<Graph>> import_part(const Frontend& f, const Path& path, const MappedFile& file,
                                           const ImportOptions& options) {
  LAPIS_TRY(std::unique_ptr<Graph> graph, f.import(path, file, options));
  if (f.imports_parts) return graph;
  ImportOptions part = options;
  if (f.has_signatures) part.signature.clear();
  if (Status done = frontend::cut(*graph, part); !done.ok())
    return frontend::in_file(std::move(done).diagnostics(), path.filename().string());
  return graph;
}

}  // namespace

std::span<const Frontend> frontends() { return kFrontends; }

const Frontend* frontend_of(const Path& path) {
  if (is_folder(path)) return recognize(path, {});
  const Result<MappedFile> file = map_file(path);
  return file.ok() ? recognize(path, file->bytes()) : nullptr;
}

Result<std::unique_ptr<Graph>> import_model(const Path& path, const ImportOptions& options) {
  MappedFile file;
  if (!is_folder(path)) {
    LAPIS_TRY(file, map_file(path));
  }
  if (const Frontend* f = recognize(path, file.bytes())) return import_part(*f, path, file, options);
  if (const auto foreign = frontend::foreign_folder(path))
    return frontend::not_read(*foreign, kAnyModel).at(path.string());
  if (const auto foreign = frontend::foreign_format(file.bytes()))
    return frontend::not_read(*foreign, kAnyModel).at(path.filename().string());
  return import_part(kFrontends[0], path, file,
                     options);  // ONNX has no magic number, so its reader says what a damaged file lacks
}

}  // namespace lapis
