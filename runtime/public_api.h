// Between the public types and our own; included by the implementation of the public API only.
#pragma once

#ifndef LAPIS_IMPLEMENTATION
#error "define LAPIS_IMPLEMENTATION before the first include"
#endif

#include <algorithm>

#include "lapis/executable.h"
#include "runtime/executable.h"

namespace lapis::v1 {

struct Executable::Impl {
  lapis::Executable executable;
  std::vector<ValueInfo> inputs, outputs;
};

Error to_public(const Diagnostics& diagnostics);
Result<Executable> make_public(lapis::Result<lapis::Executable> executable);

}  // namespace lapis::v1
