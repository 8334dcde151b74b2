// Arbitrary text is a configuration of `lapis tune` or an error.
#include "tests/fuzz/fuzz.h"
#include "tuning/search/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto config = parse_tune_config(std::string(reinterpret_cast<const char*>(data), size), "tune.yaml");
  if (!config.ok() && to_string(config.diagnostics()).empty()) std::abort();
  if (config.ok() && (config->model.empty() || config->data.empty() || config->objectives.of.empty())) std::abort();
  return 0;
}
