// Arbitrary text describes a dataset or is an error.
// Nothing is opened: which files and programs a description names is not the fuzzer's to say.
#include "tests/fuzz/fuzz.h"
#include "tuning/data/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  static const DatasetTables tables;
  const auto config = parse_dataset_config(std::string(reinterpret_cast<const char*>(data), size), "data.yaml", tables);
  if (!config.ok() && to_string(config.diagnostics()).empty()) std::abort();
  if (!config.ok()) return 0;
  for (const InputConfig& input : config->inputs)
    for (const TransformConfig& c : input.transforms)
      if (!c.transform.make(c.settings).ok()) return 0;
  return 0;
}
