// What operators with subgraphs say of types, for those who build such operators.
#pragma once

#include "ir/type.h"

namespace lapis::ops {

// What two types have in common: a value may turn out to be of either. Nullopt if that is nothing.
std::optional<Type> common(const Type& a, const Type& b);

}  // namespace lapis::ops
