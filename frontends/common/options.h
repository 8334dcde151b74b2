// What an import may be told, whatever the format.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace lapis {

struct ImportOptions {
  std::map<std::string, int64_t> dims;  // values for symbolic dimensions of the inputs
};

}  // namespace lapis
