// What a benchmark cannot do without.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/result.h"

namespace lapis {

// The value, or the end of the program with what went wrong on stderr.
template <class T> T required(Result<T> result) {
  if (result.ok()) return *std::move(result);
  std::fputs(to_string(result.diagnostics()).c_str(), stderr);
  std::exit(1);
}

}  // namespace lapis
