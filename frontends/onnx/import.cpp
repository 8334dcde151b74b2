#include "frontends/onnx/import.h"

#include <onnx/onnx_pb.h>

#include "frontends/common/foreign.h"
#include "frontends/common/importing.h"
#include "frontends/onnx/builder.h"
#include "frontends/onnx/read.h"

namespace lapis {
namespace {

using namespace onnx_frontend;

bool is_text(const Path& file) { return file.extension() == ".onnxtxt"; }

// The onnx library and protobuf throw; nothing of that leaves this folder.
template <class Read>
Result<std::unique_ptr<Graph>> import_with(const std::string& name, ExternalFiles files, const ImportOptions& options,
                                           Read&& read) {
  return frontend::importing(name, [&]() -> Result<std::unique_ptr<Graph>> {
    try {
      onnx::ModelProto model;
      RawData raw;
      LAPIS_CHECK(read(model, raw));
      return build_graph(model, raw, files, options);
    } catch (const InternalError&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::length_error&) {
      throw;
    } catch (const std::exception& e) {
      return error(ErrorKind::Input, std::string("not a valid ONNX model: ") + e.what())
          .help("check it with onnx.checker.check_model");
    }
  });
}

}  // namespace

bool is_onnx(const Path& file, std::span<const std::byte> bytes) { return is_text(file) || looks_like_model(bytes); }

Result<std::unique_ptr<Graph>> import_onnx(const Path& file, const ImportOptions& options) {
  if (const auto foreign = frontend::foreign_folder(file))
    return frontend::not_read(*foreign, "an ONNX model").at(file.string());
  LAPIS_TRY(const MappedFile mapped, map_file(file));
  return import_onnx(file, mapped, options);
}

Result<std::unique_ptr<Graph>> import_onnx(const Path& file, const MappedFile& mapped, const ImportOptions& options) {
  return import_with(
      file.filename().string(), ExternalFiles(file), options, [&](onnx::ModelProto& model, RawData& raw) {
        return is_text(file) ? read_text({reinterpret_cast<const char*>(mapped.data.get()), mapped.size}, model)
                             : read_model(mapped, model, raw);
      });
}

Result<std::unique_ptr<Graph>> import_onnx(std::span<const std::byte> bytes, const std::string& name,
                                           const ImportOptions& options) {
  return import_with(name, {}, options, [&](onnx::ModelProto& model, RawData&) { return read_model(bytes, model); });
}

Result<std::unique_ptr<Graph>> parse_onnx_text(std::string_view text, const std::string& name,
                                               const ImportOptions& options) {
  return import_with(name, {}, options, [&](onnx::ModelProto& model, RawData&) { return read_text(text, model); });
}

}  // namespace lapis
