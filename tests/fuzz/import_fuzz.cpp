// Arbitrary bytes are a model, which then survives export and import, or an error. Seeds: any folder of .onnx files.
#include <cstdint>
#include <cstdlib>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"

// ONNX registers its schemas with the first model, which takes seconds under sanitizers; no input shall be blamed for it.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const auto graph = lapis::parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }", "first");
  if (!graph.ok()) std::abort();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto graph = import_onnx(std::as_bytes(std::span(data, size)), "fuzz");
  if (!graph.ok()) return 0;
  if (!verify(**graph, VerifyLevel::Structure).empty()) std::abort();
  const auto bytes = export_onnx(**graph);
  if (bytes.ok() && !import_onnx(std::as_bytes(std::span(*bytes)), "again").ok()) std::abort();
  return 0;
}
