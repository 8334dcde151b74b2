// File names for values of a model, whose names may be anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lapis::cli {

// One file name for each of the (distinct) names, all different: what cannot stand in a file name becomes '_', and
// where two names would become the same file the later one gets a number. None leaves the folder it is put in.
std::vector<std::string> file_names(const std::vector<std::string>& names, std::string_view suffix);

}  // namespace lapis::cli
