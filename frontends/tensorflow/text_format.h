// Graphs as text (.pbtxt): written as the bytes of the same graph, so that one reader serves both.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lapis::tensorflow_frontend {

// Errors name the line. Fields that are not read anyway are skipped.
Result<std::string> graph_from_text(std::string_view text);

}  // namespace lapis::tensorflow_frontend
