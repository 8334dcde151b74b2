// LAPIS_ASSERT: a broken invariant is our bug, never the user's. It prints where, what, and aborts.
#pragma once

#include <sstream>
#include <string>

namespace lapis {

[[noreturn]] void assertion_failed(const char* file, int line, const char* condition, const std::string& message);

// Called by assertion_failed before it aborts; a pass manager installs one that writes a reproducer. May be null.
using CrashHook = void (*)(const std::string& message);
CrashHook set_crash_hook(CrashHook hook);

}  // namespace lapis

// LAPIS_ASSERT(a == b, "expected " << a << " operands");   stays on in release builds: a wrong answer costs more than a test.
#define LAPIS_ASSERT(condition, message)                                                     \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::ostringstream lapis_assert_stream_;                                               \
      lapis_assert_stream_ << message;                                                       \
      ::lapis::assertion_failed(__FILE__, __LINE__, #condition, lapis_assert_stream_.str()); \
    }                                                                                        \
  } while (false)
#define LAPIS_UNREACHABLE(message) \
  do {                             \
    LAPIS_ASSERT(false, message);  \
    __builtin_unreachable();       \
  } while (false)
