// Arbitrary bytes are a model, which then survives export and import, or an error. Seeds: any folder of .onnx files.
#include <cstdint>
#include <cstdlib>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto graph = import_onnx(std::as_bytes(std::span(data, size)), "fuzz");
  if (!graph.ok()) return 0;
  if (!verify(**graph, VerifyLevel::Structure).empty()) std::abort();
  const auto bytes = export_onnx(**graph);
  if (bytes.ok() && !import_onnx(std::as_bytes(std::span(*bytes)), "again").ok()) std::abort();
  return 0;
}
