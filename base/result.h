// Result<T>: a value, or the diagnostics that say why there is none.
//
//   Result<Tensor> load(const Path& path) {
//     LAPIS_TRY(auto bytes, read_file(path));            // returns the diagnostics to the caller on failure
//     if (bytes.empty()) return error(ErrorKind::Input, "the file is empty").at(path.string());
//     return parse(bytes);
//   }
#pragma once

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/diagnostic.h"

namespace lapis {

template <class T> class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Diagnostic diagnostic) : diagnostics_{std::move(diagnostic)} {}
  Result(Diagnostics diagnostics) : diagnostics_(std::move(diagnostics)) {
    LAPIS_ASSERT(!diagnostics_.empty(), "a failed Result needs at least one diagnostic");
  }

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

  const Diagnostics& diagnostics() const& { return diagnostics_; }
  Diagnostics&& diagnostics() && { return std::move(diagnostics_); }

 private:
  T& checked() {
    LAPIS_ASSERT(value_.has_value(), "value of a failed Result was used: " << to_string(diagnostics_));
    return *value_;
  }
  std::optional<T> value_;
  Diagnostics diagnostics_;
};

struct Unit {};
using Status = Result<Unit>;
inline Status ok() { return Unit{}; }

// Status of a step that collected its findings: ok unless one of them is an error.
inline Status status_of(Diagnostics diagnostics) {
  if (has_errors(diagnostics)) return diagnostics;
  return Unit{};
}

}  // namespace lapis

#define LAPIS_CONCAT_(a, b) a##b
#define LAPIS_CONCAT(a, b) LAPIS_CONCAT_(a, b)
#define LAPIS_TRY_(result, declaration, expression)         \
  auto result = (expression);                               \
  if (!result.ok()) return std::move(result).diagnostics(); \
  declaration = *std::move(result)
// LAPIS_TRY(auto x, f());   x is the value, or the function returns f()'s diagnostics.
#define LAPIS_TRY(declaration, ...) LAPIS_TRY_(LAPIS_CONCAT(lapis_result_, __LINE__), declaration, (__VA_ARGS__))
// LAPIS_CHECK(f());   the same for a Status.
#define LAPIS_CHECK(...)                                                    \
  do {                                                                      \
    auto lapis_status_ = (__VA_ARGS__);                                     \
    if (!lapis_status_.ok()) return std::move(lapis_status_).diagnostics(); \
  } while (false)
