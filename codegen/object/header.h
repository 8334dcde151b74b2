// The text of NAME.h.
#pragma once

#include "codegen/object/object.h"

namespace lapis {

// Identifiers of the struct members, unique and no C keywords: "input.1" becomes "input_1".
std::vector<std::string> member_names(const std::vector<PlanIo>& values);
std::string header_text(const Plan& plan, const ObjectOptions& options);

}  // namespace lapis
