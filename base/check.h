// LAPIS_ASSERT: a broken invariant is our bug, never the user's. It throws InternalError, which nothing catches before
// the edge of the library (base/guard.h makes a Diagnostic of it there), so that a host process outlives our bugs and
// nothing runs on after one.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace lapis {

// what() says where, which condition, and what was found.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void assertion_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace lapis

// LAPIS_ASSERT(a == b, "expected " << a << " operands");   stays on in release builds:
// a wrong answer costs more than a test.
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
