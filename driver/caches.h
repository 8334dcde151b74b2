// What compilations share: those of a process, unless they are told otherwise.
//
//   CompileOptions options;
//   options.caches = std::make_shared<Caches>();   // apart from all others: for tests and measurements
#pragma once

#include <memory>
#include <mutex>

#include "base/file.h"
#include "codegen/code_cache.h"
#include "codegen/kernels/weight_cache.h"

namespace lapis {

class Caches {
 public:
  Caches();
  // Code comes from this file too, and what is new goes there (codegen/code_file.h). Without the file everything works
  // as well, so that one which cannot be read or written is no error.
  explicit Caches(Path code_file);

  codegen::CodeCache code;
  kernels::WeightCache weights;

  void keep_code();              // in the file, if there is one and code is new
  Diagnostics warnings() const;  // why the file was not used

 private:
  void note(Status status);

  const Path code_file_;
  mutable std::mutex mutex_;
  size_t kept_ = 0;  // misses of `code` when it was kept last
  Diagnostics warnings_;
};

const std::shared_ptr<Caches>& process_caches();

}  // namespace lapis
