// LLVM is not written for exceptions: what one passed through (memory that ran out) can be neither used any more nor
// destroyed. A Fragile object is left where it is then. Its memory is lost; the program that asked for a model is not.
//
//   const Fragile<llvm::LLVMContext> context;
//   const Fragile<llvm::Module> module("loops", *context);
#pragma once

#include <exception>
#include <utility>

namespace lapis::llvm_backend {

template <class T> class Fragile {
 public:
  template <class... Arguments>
  explicit Fragile(Arguments&&... arguments) : object_(new T(std::forward<Arguments>(arguments)...)) {}
  ~Fragile() {
    if (std::uncaught_exceptions() == exceptions_) delete object_;
  }
  Fragile(const Fragile&) = delete;
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  const int exceptions_ = std::uncaught_exceptions();
  T* const object_;
};

}  // namespace lapis::llvm_backend
