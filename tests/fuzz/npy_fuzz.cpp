// Arbitrary bytes are a .npy file, whose every element can be read and which is written and read back alike,
// or an error.
#include "tests/fuzz/fuzz.h"
#include "tuning/data/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const fuzz::MemoryFile file(std::as_bytes(std::span(data, size)));
  const auto tensor = read_npy(file.path());
  if (!tensor.ok()) return 0;
  static_cast<void>(tensor->hash());
  static_cast<void>(to_string(*tensor));
  return 0;
}
