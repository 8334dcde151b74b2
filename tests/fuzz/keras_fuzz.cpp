// Arbitrary bytes are a Keras model, an HDF5 file or an archive, that holds together,
// survives export and import as ONNX, and compiles, or an error.
#include "frontends/keras/import.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lapis::fuzz::register_schemas();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lapis::fuzz::check_and_compile(lapis::import_keras(std::as_bytes(std::span(data, size)), "fuzz"));
  return 0;
}
