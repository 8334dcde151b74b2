// Attributes of MXNet's operators, which its symbol files hold as Python wrote them: "(3, 3)", "True", "1e-05", "relu".
#pragma once

#include <optional>
#include <string_view>

#include "frontends/common/source_graph.h"

namespace lapis::mxnet_frontend {

inline constexpr int64_t kNone = INT64_MIN;  // None in a list, as (None, 5) in slices

// A truth value, a number, a list of numbers, or else the text itself; nullopt for None.
std::optional<frontend::SourceAttribute> parse_literal(std::string_view text);

}  // namespace lapis::mxnet_frontend
