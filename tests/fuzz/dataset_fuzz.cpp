// Arbitrary text describes a dataset or is an error. Nothing is sampled: which files a description names is not the fuzzer's to say.
#include "tests/fuzz/fuzz.h"
#include "tuning/data/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const fuzz::MemoryFile file(std::as_bytes(std::span(data, size)));
  const auto dataset = Dataset::load(file.path());
  if (!dataset.ok() && to_string(dataset.diagnostics()).empty()) std::abort();
  return 0;
}
