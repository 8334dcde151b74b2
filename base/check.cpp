#include "base/check.h"

namespace lapis {

void assertion_failed(const char* file, int line, const char* condition, const std::string& message) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": " + condition + ": " + message);
}

}  // namespace lapis
