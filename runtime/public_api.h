// Between the public types and our own; included by the implementation of the public API only.
#pragma once

#ifndef LAPIS_IMPLEMENTATION
#error "define LAPIS_IMPLEMENTATION before the first include"
#endif

#include <algorithm>

#include "base/guard.h"
#include "lapis/executable.h"
#include "runtime/flexible.h"

namespace lapis::v1 {

struct Executable::Impl {
  lapis::Executable executable;              // unless there is a family
  std::shared_ptr<ExecutableFamily> family;  // of those for all shapes
  std::vector<ValueInfo> inputs, outputs;
  std::string target;
};

std::shared_ptr<Executable::Impl> make_impl(lapis::Executable executable);
std::shared_ptr<Executable::Impl> make_impl(std::shared_ptr<ExecutableFamily> family, std::string target);

Error to_public(const Diagnostics& diagnostics);
Result<Executable> make_public(lapis::Result<std::shared_ptr<Executable::Impl>> impl);

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
