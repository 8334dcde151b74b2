// Arbitrary bytes are a symbol and, behind it, parameters: an MXNet model that holds together, survives export and
// import as ONNX, and compiles, or an error.
#include "frontends/mxnet/import.h"
#include "frontends/mxnet/params.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lapis::fuzz::register_schemas();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kEmpty = 32;  // a list of nothing
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  const size_t at = std::min(whole.find(lapis::mxnet_frontend::kParamsMagic), size);
  auto params = std::make_shared<std::string>(whole.substr(at));
  if (params->empty()) {
    *params = lapis::mxnet_frontend::kParamsMagic;
    params->resize(kEmpty);
  }
  const lapis::MappedFile file{{params, reinterpret_cast<const std::byte*>(params->data())}, params->size()};
  lapis::fuzz::check_and_compile(lapis::import_mxnet(std::as_bytes(std::span(data, at)), file, "fuzz"));
  return 0;
}
