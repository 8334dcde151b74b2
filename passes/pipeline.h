// The passes by name, for `lapis opt --passes "a,b{option=value}"`, and the pipelines made of them.
#pragma once

#include "passes/pass.h"

namespace lapis {

// Every pass, in a sensible order to list them.
const Pipeline& all_passes();
// Every rule that PassContext::disabled_rules can name.
std::vector<std::string> rule_names();
// The pipeline "a,b{option=value,option=value},c".
// All findings at once; names that do not exist come with those that do.
Result<Pipeline> parse_pipeline(std::string_view text);

}  // namespace lapis
