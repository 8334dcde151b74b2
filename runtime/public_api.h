// Between the public types and our own; included by the implementation of the public API only.
#pragma once

#ifndef LAPIS_IMPLEMENTATION
#error "define LAPIS_IMPLEMENTATION before the first include"
#endif

#include <algorithm>

#include "base/guard.h"
#include "lapis/executable.h"
#include "runtime/executable.h"

namespace lapis::v1 {

struct Executable::Impl {
  lapis::Executable executable;
  std::vector<ValueInfo> inputs, outputs;
  std::string target;
};

Error to_public(const Diagnostics& diagnostics);
Result<Executable> make_public(lapis::Result<lapis::Executable> executable);

// The result of f(), or what it threw as an Error: nothing is ever thrown at the host.
template <class Function> auto at_the_edge(Function&& f) -> decltype(f()) {
  try {
    try {
      return f();
    } catch (...) {
      return to_public({current_exception_diagnostic()});
    }
  } catch (...) {  // not even memory for a message
    return Error{ErrorCode::Resource, "out of memory"};
  }
}

}  // namespace lapis::v1
