// Memory that generated code lives in and works on.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace lapis {

// Executable pages: written once, then sealed read-execute; never writable and executable at the same time.
class CodeMemory {
 public:
  static Result<CodeMemory> seal(std::span<const std::byte> code);
  const std::byte* data() const { return pages_.get(); }

 private:
  std::shared_ptr<const std::byte> pages_;
};

// Zeroed, page-aligned memory that asks for huge pages where it is large; ErrorKind::Resource if it cannot be had.
Result<std::shared_ptr<std::byte>> allocate_arena(int64_t bytes);

// Working memory of sessions that never run at the same time.
// It grows; sessions that were made before keep what they have.
class Arena {
 public:
  Result<std::shared_ptr<std::byte>> at_least(int64_t bytes);

 private:
  std::shared_ptr<std::byte> memory_;
  int64_t bytes_ = 0;
};

// Appends to /tmp/perf-PID.map, so that `perf report` names generated code.
void write_perf_map_entry(const std::byte* address, size_t size, const std::string& symbol);

}  // namespace lapis
