#include "frontends/onnx/import.h"

#include <onnx/onnx_pb.h>

#include <new>
#include <stdexcept>

#include "base/guard.h"

#include "frontends/onnx/builder.h"
#include "frontends/onnx/foreign.h"
#include "frontends/onnx/read.h"

namespace lapis {
namespace {

using namespace onnx_frontend;

Diagnostics in_file(Diagnostics diagnostics, const std::string& name) {
  for (Diagnostic& d : diagnostics) d.at(d.location.empty() || d.location == name ? name : name + ": " + d.location);
  return diagnostics;
}

// The onnx library and protobuf throw; nothing of that leaves this folder.
template <class Read>
Result<std::unique_ptr<Graph>> import_with(const std::string& name, ExternalFiles files, const ImportOptions& options,
                                           Read&& read) {
  try {
    onnx::ModelProto model;
    if (Status status = read(model); !status.ok()) return in_file(std::move(status).diagnostics(), name);

    Result<std::unique_ptr<Graph>> graph = build_graph(model, files, options);
    if (!graph.ok()) return in_file(std::move(graph).diagnostics(), name);
    return graph;
  } catch (const InternalError&) {
    throw;
  } catch (const std::bad_alloc&) {
    return current_exception_diagnostic().at(name);
  } catch (const std::length_error&) {
    return current_exception_diagnostic().at(name);
  } catch (const std::exception& e) {
    return error(ErrorKind::Input, std::string("not a valid ONNX model: ") + e.what())
        .at(name)
        .help("check it with onnx.checker.check_model");
  }
}

}  // namespace

Result<std::unique_ptr<Graph>> import_onnx(const Path& file, const ImportOptions& options) {
  if (const auto foreign = foreign_folder(file)) return not_onnx(*foreign).at(file.string());
  LAPIS_TRY(const MappedFile mapped, map_file(file));
  const std::string name = file.filename().string();
  const bool is_text = file.extension() == ".onnxtxt";
  return import_with(name, ExternalFiles(file), options, [&](onnx::ModelProto& model) {
    return is_text ? read_text({reinterpret_cast<const char*>(mapped.data.get()), mapped.size}, model)
                   : read_model(mapped.bytes(), model);
  });
}

Result<std::unique_ptr<Graph>> import_onnx(std::span<const std::byte> bytes, const std::string& name,
                                           const ImportOptions& options) {
  return import_with(name, {}, options, [&](onnx::ModelProto& model) { return read_model(bytes, model); });
}

Result<std::unique_ptr<Graph>> parse_onnx_text(std::string_view text, const std::string& name,
                                               const ImportOptions& options) {
  return import_with(name, {}, options, [&](onnx::ModelProto& model) { return read_text(text, model); });
}

}  // namespace lapis
