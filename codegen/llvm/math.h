// Elementary functions without libm, the same bits on every ISA. Largest error against double std:: over sweeps of all exponents
// (asserted by tests/codegen/loop_math_test.cpp), in units of the last place of float:
//   Exp 0.95, Expm1 1.5, Log 0.74, Log1p 1.5, Erf 0.94, NormalCdf 6, Tanh 1.23, Sigmoid 1.99: float arithmetic with fused
//   multiply-adds;
//   Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Pow: computed in double, rounded correctly in all samples, whatever
//   the size of the argument.
// Float64 operands take the double versions: within 8 ulp of double, Pow within 0.8, whole numbers exactly; Erf and NormalCdf have none (refuse_math).
#pragma once

#include "codegen/llvm/lanes.h"

namespace lapis::llvm_backend {

bool is_math(Op op);
std::string refuse_math(Op op, DType type);
// x (and y, of Pow) are float or double registers.
llvm::Value* emit_math(const Lanes& lanes, Op op, llvm::Value* x);
llvm::Value* emit_pow(const Lanes& lanes, llvm::Value* x, llvm::Value* y);
llvm::Value* emit_fmod(const Lanes& lanes, llvm::Value* x, llvm::Value* y);  // sign of x; exact

}  // namespace lapis::llvm_backend
