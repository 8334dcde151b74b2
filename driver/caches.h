// What compilations share: those of a process, unless they are told otherwise.
//
//   CompileOptions options;
//   options.caches = std::make_shared<Caches>();   // apart from all others: for tests and measurements
#pragma once

#include <memory>

#include "codegen/code_cache.h"
#include "codegen/kernels/weight_cache.h"

namespace lapis {

struct Caches {
  Caches();
  codegen::CodeCache code;
  kernels::WeightCache weights;
};

const std::shared_ptr<Caches>& process_caches();

}  // namespace lapis
