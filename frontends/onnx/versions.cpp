#include "frontends/onnx/versions.h"

#include <onnx/onnx_pb.h>

#include "frontends/onnx/import.h"

namespace lapis::onnx_frontend {

std::optional<Diagnostic> check_opset(int64_t version) {
  if (version >= kOldestOpset && version <= kNewestOpset) return std::nullopt;
  return error(ErrorKind::Unsupported, "opset " + std::to_string(version) + " is outside of " +
                                           std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset))
      .help("convert it: onnx.version_converter.convert_version(model, " +
            std::to_string(version < kOldestOpset ? 13 : kCanonicalOpset) + ")");
}

Diagnostics check_versions(const onnx::ModelProto& model, const Opsets& opsets) {
  Diagnostics found;
  const int64_t ir = model.ir_version();
  if (ir < kOldestIrVersion || ir > kNewestIrVersion)
    found.push_back(
        error(ErrorKind::Unsupported, "IR version " + std::to_string(ir) + " is outside of " +
                                          std::to_string(kOldestIrVersion) + " to " + std::to_string(kNewestIrVersion))
            .help(ir > kNewestIrVersion ? "export it with an older onnx package"
                                        : "is this an ONNX model? if so, save it again with a current onnx package"));
  if (!model.has_graph() || model.graph().output_size() == 0)
    found.push_back(error(ErrorKind::Input, "the model has no outputs: its graph is empty").help("export it again"));
  if (const auto it = opsets.find(""); it != opsets.end()) {
    if (auto d = check_opset(it->second)) found.push_back(*std::move(d));
  } else if (model.graph().node_size() > 0) {
    found.push_back(error(ErrorKind::Input, "the model does not say which opset it uses (no opset_import)")
                        .help("it may be truncated; export it again"));
  }
  return found;
}

}  // namespace lapis::onnx_frontend
