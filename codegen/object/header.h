// The text of NAME.h.
#pragma once

#include "codegen/object/object.h"

namespace lapis {

// Identifiers of the struct members, unique, and neither keywords of C or C++ nor macros; `prefix` is the object's
// name. "input.1" becomes "input_1", and what cannot be a name gets "v_" in front.
std::vector<std::string> member_names(const std::vector<PlanIo>& values, const std::string& prefix);
std::string header_text(const Plan& plan, const ObjectOptions& options);

}  // namespace lapis
