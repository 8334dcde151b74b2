// "did you mean": what someone may have wanted to write, among the names that exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lapis {

// The known name that is nearest to `name`, or "" where none is near enough to be meant.
std::string nearest(std::string_view name, const std::vector<std::string>& known);
// "did you mean 'calibration'? known are a, b, c", without the question where nothing is near.
std::string suggestion(std::string_view name, const std::vector<std::string>& known);
std::string joined(const std::vector<std::string>& words, std::string_view between = ", ");

}  // namespace lapis
