// Arbitrary text is a model, which prints as text that reads back, or an error.
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lapis::fuzz::register_schemas();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto graph = parse_onnx_text({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!graph.ok()) return 0;
  if (to_onnx_text(**graph).empty()) std::abort();
  fuzz::compile_if_small(**graph);
  return 0;
}
