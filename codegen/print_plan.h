// The Plan as text, for people, diffs and hashing: everything that decides what the generated code does.
#pragma once

#include <string>

#include "codegen/plan.h"

namespace lapis::codegen {

std::string to_string(const Plan& plan);
std::string to_string(const View& view, const Plan& plan);
std::string to_string(const Instr& instr);

}  // namespace lapis::codegen
