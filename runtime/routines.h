// The routines of runtime/routines by name. A step names one; an artifact that names an unknown one, or one that its
// operands do not fit, is refused.
#pragma once

#include <string_view>

#include "runtime/program.h"

namespace lapis {

// As runtime/routines/entries.h says.
using Routine = void (*)(void* const* operands, const int64_t* parameters);

// Null if there is none of that name.
Routine find_routine(std::string_view name);
// Why the routine cannot work on these operands, or nothing: their number, types and shapes.
std::optional<std::string> flaw_of_call(const CallInfo& call);

}  // namespace lapis
