// Text files as lines, without their ends.
#pragma once

#include "base/file.h"

namespace lapis {

Result<std::vector<std::string>> read_lines(const Path& file);

}  // namespace lapis
