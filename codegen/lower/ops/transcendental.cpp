// Functions that are no finite number of arithmetic operations.
#include "codegen/lower/ops/families.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {

OpLowerings transcendental_rows() {
  return {
      code_for(ops::Exp).scalar(unary<Op::Exp>),     code_for(ops::Log).scalar(unary<Op::Log>),
      code_for(ops::Sin).scalar(unary<Op::Sin>),     code_for(ops::Cos).scalar(unary<Op::Cos>),
      code_for(ops::Tan).scalar(unary<Op::Tan>),     code_for(ops::Asin).scalar(unary<Op::Asin>),
      code_for(ops::Acos).scalar(unary<Op::Acos>),   code_for(ops::Atan).scalar(unary<Op::Atan>),
      code_for(ops::Sinh).scalar(unary<Op::Sinh>),   code_for(ops::Cosh).scalar(unary<Op::Cosh>),
      code_for(ops::Tanh).scalar(unary<Op::Tanh>),   code_for(ops::Asinh).scalar(unary<Op::Asinh>),
      code_for(ops::Acosh).scalar(unary<Op::Acosh>), code_for(ops::Atanh).scalar(unary<Op::Atanh>),
      code_for(ops::Erf).scalar(unary<Op::Erf>),
  };
}

}  // namespace lapis::codegen
