// Sizes of exported programs, which are SymPy expressions as Python prints them:
// "Mul(Integer(2), Symbol('s77', positive=True))".
#pragma once

#include <string_view>

#include "ir/dim.h"

namespace lapis::pytorch_frontend {

// Unknown where the expression is none that Lapis computes with.
Dim parse_expression(std::string_view text);

}  // namespace lapis::pytorch_frontend
