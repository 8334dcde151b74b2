// Arbitrary bytes are a TensorFlow graph, binary or as text, that holds together, survives export and import as ONNX,
// and compiles, or an error; and a table of variables or an error, and the lines of a program as far as they can be
// read.
#include "frontends/common/importing.h"
#include "frontends/tensorflow/bundle.h"
#include "frontends/tensorflow/debug_info.h"
#include "frontends/tensorflow/import.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lapis::fuzz::register_schemas();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  lapis::fuzz::check_and_compile(lapis::import_tensorflow(bytes, "fuzz"));
  auto lines = lapis::tensorflow_frontend::DebugInfo::of(lapis::frontend::copy_of(bytes));
  static_cast<void>(lines.written_at("y", ""));
  static_cast<void>(lapis::tensorflow_frontend::read_table({reinterpret_cast<const char*>(data), size}));
  return 0;
}
