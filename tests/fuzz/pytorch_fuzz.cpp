// Arbitrary bytes are a PyTorch model, exported or TorchScript, that holds together,
// survives export and import as ONNX, and compiles, or an error.
#include "frontends/pytorch/import.h"
#include "tests/fuzz/fuzz.h"

// For code that asks for the sizes of its inputs, and keeps a state.
static const lapis::ImportOptions kSizes = {.shapes = {{"x", {2, 4}}}, .values = {{"rate", 8}}};

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lapis::fuzz::register_schemas();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  auto imported = lapis::import_pytorch(bytes, "fuzz");
  if (!imported.ok()) imported = lapis::import_pytorch(bytes, "fuzz", kSizes);
  lapis::fuzz::check_and_compile(imported);
  return 0;
}
