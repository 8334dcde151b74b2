// guarded(f): f's Result, or what it threw as diagnostics. It stands at the edges of the library (compile, load,
// session, run, the verbs of the CLI) and nowhere else: inside, failures are Results and exceptions mean that work
// cannot go on.
//
//   Result<Executable> compile(const Path& model) {
//     return guarded([&]() -> Result<Executable> { LAPIS_TRY(...); ... });
//   }
#pragma once

#include "base/result.h"

namespace lapis {

// The exception being handled: a broken invariant (Internal), or memory or threads that cannot be had (Resource).
Diagnostic current_exception_diagnostic();

template <class Function> auto guarded(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (...) {
    return current_exception_diagnostic();
  }
}

}  // namespace lapis
