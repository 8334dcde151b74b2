// The passes by name, for `lapis opt --passes a,b`, and the pipelines made of them.
#pragma once

#include "passes/pass.h"

namespace lapis {

// Every pass that needs nothing but the graph, in a sensible order to list them.
const Pipeline& all_passes();
// Every rule that PassContext::disabled_rules can name.
std::vector<std::string> rule_names();
// The pipeline named by "a,b,c"; an error that suggests known passes if a name is not one of them.
Result<Pipeline> parse_pipeline(std::string_view names);

}  // namespace lapis
