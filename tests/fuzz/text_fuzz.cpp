// Arbitrary text is a model, which prints as text that reads back, or an error.
#include <cstdint>
#include <cstdlib>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto graph = parse_onnx_text({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (graph.ok() && to_onnx_text(**graph).empty()) std::abort();
  return 0;
}
