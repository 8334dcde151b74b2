// Code that outlives its process: the functions of a CodeCache in one file,
// for later processes of the same build of Lapis.
//
//   CodeCache cache;
//   Status loaded = load_code("models.code", cache);   // ok if there is no such file yet
//   LAPIS_TRY(CodeImage image, codegen::emit(plan, cache));
//   Status saved = save_code(cache, "models.code");
//
// Who can write such a file can run code in the processes that load it, as with artifacts (docs/security.md).
// Damage is found by a hash.
#pragma once

#include "base/file.h"
#include "codegen/code_cache.h"

namespace lapis::codegen {

// Adds what the file has and the cache has not.
// Errors: a file that cannot be read, is damaged, or comes from another build.
Status load_code(const Path& file, CodeCache& cache);
// What the cache has, and what others have put into the file meanwhile.
Status save_code(CodeCache& cache, const Path& file);

}  // namespace lapis::codegen
