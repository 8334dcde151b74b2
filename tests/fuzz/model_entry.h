// The entry points of the targets whose input is a model; each target is one file, which includes this once.
#pragma once

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  lapis::fuzz::register_schemas();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lapis::fuzz::check_and_compile(lapis::import_onnx(std::as_bytes(std::span(data, size)), "fuzz"));
  return 0;
}
