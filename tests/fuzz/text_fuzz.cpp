// Arbitrary text is a model, which prints as text that reads back, or an error.
#include <cstdint>
#include <cstdlib>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"

// ONNX registers its schemas with the first model, which takes seconds under sanitizers; no input shall be blamed for it.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const auto graph = lapis::parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }", "first");
  if (!graph.ok()) std::abort();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto graph = parse_onnx_text({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (graph.ok() && to_onnx_text(**graph).empty()) std::abort();
  return 0;
}
