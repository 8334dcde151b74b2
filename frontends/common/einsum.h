// Sums over products of two operands, as an equation says them: one MatMul between what brings axes into its order.
//
//   LAPIS_TRY(Value* y, einsum(t, "abc,cde->abde"));  // dots may stand for axes of the first operand: "...x,xy->...y"
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

// Of operands 0 and 1; refuses equations that are no product of matrices.
Result<Value*> einsum(Translation& t, const std::string& equation);

}  // namespace lapis::frontend
