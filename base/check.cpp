#include "base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace lapis {

static std::atomic<CrashHook> g_crash_hook{nullptr};

CrashHook set_crash_hook(CrashHook hook) { return g_crash_hook.exchange(hook); }

void assertion_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "lapis: internal error at %s:%d: %s\n  %s\n  This is a bug in Lapis, not in your model.\n", file,
               line, condition, message.c_str());
  if (CrashHook hook = g_crash_hook.exchange(nullptr))
    hook(message);  // exchanged first: a failing hook must not recurse
  std::abort();
}

}  // namespace lapis
