#include "frontends/keras/import.h"

#include "frontends/common/archive.h"
#include "frontends/common/importing.h"
#include "frontends/keras/read.h"

namespace lapis {
namespace {

using namespace keras_frontend;

constexpr const char *kConfig = "config.json", *kMetadata = "metadata.json", *kWeights = "model.weights.h5";

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// "3.4.1" is 3.
int64_t major_version(const std::string& version) {
  return !version.empty() && version[0] >= '1' && version[0] <= '9' ? version[0] - '0' : 2;
}

Result<frontend::SourceGraph> read_archive(const MappedFile& file) {
  LAPIS_TRY(frontend::Archive archive, frontend::Archive::open(file));
  KerasModel model;
  model.file_bytes = file.size;
  LAPIS_TRY(const MappedFile config, archive.content(kConfig));
  LAPIS_TRY(model.description, frontend::parse_json(config.bytes()));
  if (archive.has(kMetadata)) {
    LAPIS_TRY(const MappedFile metadata, archive.content(kMetadata));
    LAPIS_TRY(const Json about, frontend::parse_json(metadata.bytes()));
    model.version = major_version(frontend::text(about, "keras_version"));
  }
  LAPIS_TRY(const MappedFile weights, archive.content(kWeights));
  LAPIS_TRY(Hdf5 opened, Hdf5::open(weights));
  return read_layers(model, Weights(std::move(opened)));
}

Result<frontend::SourceGraph> read_hdf5(const MappedFile& file) {
  LAPIS_TRY(Hdf5 opened, Hdf5::open(file));
  const auto config = opened.text("/", "model_config");
  if (!config)
    return error(ErrorKind::Input, "an HDF5 file without a model: weights only, or the data of another program")
        .help("build the model in Keras, load the weights into it, and save the whole of it with model.save");
  KerasModel model;
  model.file_bytes = file.size;
  LAPIS_TRY(model.description, frontend::parse_json(bytes_of(*config)));
  model.version = major_version(opened.text("/", "keras_version").value_or(""));
  return read_layers(model, Weights(std::move(opened)));
}

Result<std::unique_ptr<Graph>> import_file(const MappedFile& file, const std::string& name,
                                           const ImportOptions& options) {
  return frontend::importing(name, [&]() -> Result<std::unique_ptr<Graph>> {
    LAPIS_TRY(const frontend::SourceGraph source, Hdf5::is_one(file.bytes()) ? read_hdf5(file) : read_archive(file));
    return translate(source, keras_frontend::dialect(), options);
  });
}

}  // namespace

bool is_keras(const Path&, std::span<const std::byte> bytes) {
  return Hdf5::is_one(bytes) || frontend::archive_has(bytes, {kWeights});
}

Result<std::unique_ptr<Graph>> import_keras(const Path& path, const MappedFile& file, const ImportOptions& options) {
  return import_file(file, path.filename().string(), options);
}

Result<std::unique_ptr<Graph>> import_keras(std::span<const std::byte> bytes, const std::string& name,
                                            const ImportOptions& options) {
  return import_file(frontend::copy_of(bytes), name, options);
}

namespace keras_frontend {

const frontend::Dialect& dialect() {
  static const frontend::Dialect kDialect{
      .translators = translators(),
      .hint = "model.export(FOLDER) writes a SavedModel, where the layer consists of operators; Lapis reads that too",
      .folds_constants = true,
      .refused = refused()};
  return kDialect;
}

}  // namespace keras_frontend

}  // namespace lapis
