// Result<T>: a value, or an Error that says why there is none. No function of Lapis throws; using the value of a
// failed Result does, for those who prefer it.
//
//   auto executable = lapis::load("resnet50.lapis");
//   if (!executable) return fail(executable.error().message);
//   auto session = executable->session().value();             // throws std::runtime_error with the message
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "lapis/config.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  enum class ErrorCode {
    Usage,        // a wrong argument
    Input,        // a file that cannot be read, is damaged, or is not what it claims to be
    Unsupported,  // a valid model that uses something Lapis does not implement
    Mismatch,     // tensors that do not fit the model
    Target,       // code for a machine that this host is not
    Io,           // the file system refused
    Resource,     // memory, threads or address space that cannot be had
    Internal,     // a bug in Lapis
  };

  struct Error {
    ErrorCode code = ErrorCode::Input;
    std::string message;  // every finding: where, what, and what to do; several lines
  };

  template <class T> class [[nodiscard]] Result {
   public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(std::move(error)) {}

    bool ok() const { return value_.has_value(); }
    explicit operator bool() const { return ok(); }
    const Error& error() const { return error_; }  // meaningful if !ok()

    T& operator*() & { return throw_unless_ok(), *value_; }
    const T& operator*() const& { return throw_unless_ok(), *value_; }
    T&& operator*() && { return throw_unless_ok(), *std::move(value_); }
    T* operator->() { return throw_unless_ok(), &*value_; }
    const T* operator->() const { return throw_unless_ok(), &*value_; }

    T& value() & { return throw_unless_ok(), *value_; }
    T&& value() && { return throw_unless_ok(), *std::move(value_); }

   private:
    void throw_unless_ok() const {
      if (!value_) throw std::runtime_error(error_.message);
    }
    std::optional<T> value_;
    Error error_;
  };

}  // namespace v1
}  // namespace lapis
