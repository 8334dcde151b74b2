// Ahead of time: a Plan and its code as NAME.o and NAME.h, to be linked into any C program. The object refers to
// nothing outside of itself: no libc, no allocation, no thread-local or mutable static memory. Its API (declared and
// explained in NAME.h):
//
//   int NAME_supported(void);                                              // CPUID and XCR0, checked inside the object
//   int NAME_run(const NAME_inputs*, const NAME_outputs*, void* arena);    // structs of typed pointers
//   size_t NAME_phases(void);  int64_t NAME_units(size_t phase);               // for callers with their own threads
//   int NAME_run_units(size_t phase, int64_t begin, int64_t end, const NAME_inputs*, const NAME_outputs*, void* arena);
//
// Branches and repetitions of the plan are code of NAME_run; routines that it calls are embedded. What the reference
// evaluator computes is refused by name.
#pragma once

#include "base/file.h"
#include "codegen/plan.h"

namespace lapis {

struct ObjectOptions {
  std::string name;  // a C identifier: the prefix of every symbol
  Path directory;
  uint64_t plan_hash = 0;  // provenance, readable in the object as NAME_provenance
  uint64_t source_hash = 0;
  std::string producer = "lapis";
};

struct ObjectFiles {
  Path object, header;
};

// ErrorKind::Usage if the name is no C identifier, ErrorKind::Unsupported if a step calls what cannot be embedded,
// ErrorKind::Io if a file cannot be written.
Result<ObjectFiles> write_object(const Plan& plan, const CodeImage& image, const ObjectOptions& options);

// Behind the plan's arena lies one line in which NAME_run notes that this processor was checked.
int64_t object_arena_bytes(const Plan& plan);

}  // namespace lapis
