// Values of one instruction over all lanes. A value that is the same in every lane stays a scalar until it meets a
// vector; so loop invariants are computed once, and the same code serves scalar rows and vector bodies.
//
// In registers Float16 and BFloat16 are float (rounded after each operation), Bool is i1;
// in memory they are 2 and 1 bytes.
#pragma once

#include <string>

#include "codegen/plan.h"

namespace llvm {
class IRBuilderBase;
class Type;
class Value;
}  // namespace llvm

namespace lapis::llvm_backend {

class Lanes {
 public:
  Lanes(llvm::IRBuilderBase& builder, int width) : b(builder), width_(width) {}

  llvm::IRBuilderBase& b;
  int width() const { return width_; }

  static bool is_vector(const llvm::Value* v);
  llvm::Type* register_type(DType dtype) const;
  llvm::Type* memory_type(DType dtype) const;
  llvm::Type* shaped(llvm::Type* scalar,
                     const llvm::Value* like) const;   // `scalar`, or a vector of it where `like` is one
  llvm::Value* splat(llvm::Value* v) const;            // to all lanes; vectors pass
  void unify(llvm::Value*& x, llvm::Value*& y) const;  // both vectors if one is

  // Constants shaped like `like`.
  llvm::Value* real(const llvm::Value* like, double value) const;      // float or double, as `like` is
  llvm::Value* integer(const llvm::Value* like, int64_t value) const;  // of the integer type `like` has
  llvm::Value* constant(DType dtype, Immediate value) const;

  llvm::Value* from_memory(llvm::Value* raw, DType dtype) const;
  llvm::Value* to_memory(llvm::Value* value, DType dtype) const;
  llvm::Value* convert(llvm::Value* value, DType from, DType to) const;
  llvm::Value* rounded(llvm::Value* value, DType dtype) const;  // to what a Float16 or BFloat16 can hold

  // Single instructions in the shape of their operands.
  llvm::Value* select(llvm::Value* condition, llvm::Value* yes, llvm::Value* no) const;
  llvm::Value* unary(unsigned intrinsic, llvm::Value* x) const;
  llvm::Value* fma(llvm::Value* x, llvm::Value* y, llvm::Value* z) const;
  llvm::Value* is_nan(llvm::Value* x) const;
  // As plan.h defines Max, Min, AtLeast and AtMost.
  llvm::Value* maximum(llvm::Value* x, llvm::Value* y, DType dtype) const;
  llvm::Value* minimum(llvm::Value* x, llvm::Value* y, DType dtype) const;
  llvm::Value* at_least(llvm::Value* x, llvm::Value* low, DType dtype) const;
  llvm::Value* at_most(llvm::Value* x, llvm::Value* high, DType dtype) const;
  // x limited to [lowest, highest]; NaN becomes lowest.
  llvm::Value* clamp(llvm::Value* x, double lowest, double highest) const;
  llvm::Value* any(llvm::Value* condition) const;  // i1: true in some lane

 private:
  llvm::Value* to_integer(llvm::Value* value, DType to) const;
  llvm::Value* integer_extreme(llvm::Value* x, llvm::Value* y, DType dtype, bool largest) const;
  llvm::Value* real_extreme(llvm::Value* x, llvm::Value* y, bool largest) const;
  llvm::Value* apart(llvm::Value* x, llvm::Value* c) const;
  llvm::Value* picked(llvm::Value* x, llvm::Value* y, bool largest) const;
  int width_;
};

bool is_unsigned(DType dtype);

}  // namespace lapis::llvm_backend
