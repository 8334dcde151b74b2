// What inference asks about dims that may be symbolic.
#pragma once

#include "ir/dim.h"

namespace lapis::ops {

// For sure; a symbol may be any number.
inline bool differ(const Dim& a, const Dim& b) { return a.is_constant() && b.is_constant() && !(a == b); }

}  // namespace lapis::ops
