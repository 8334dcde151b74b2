#include "frontends/common/names.h"

namespace lapis::frontend {

std::string Names::value(const std::string& name, const Scope& scope) const {
  if (name.empty()) return name;
  const std::string full = scope.call.empty() ? name : scope.call + "/" + name;
  return scope.is_top() ? full : made(full);
}

std::string Names::node(std::string name, const Scope& scope) {
  if (!scope.call.empty()) name = scope.call + "/" + name;
  std::string unique = name;
  size_t& suffix = suffixes_[name];
  while (!nodes_.insert(unique).second) unique = name + "_" + std::to_string(++suffix);
  return unique;
}

}  // namespace lapis::frontend
