#include "tuning/yaml_reader.h"

#include <algorithm>
#include <set>

#include "base/suggest.h"

namespace lapis {

std::string YamlReader::place(const YAML::Node& node) const {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? file_ : file_ + ":" + std::to_string(mark.line + 1);
}

void YamlReader::complain(const YAML::Node& node, const std::string& what, const std::string& hint) {
  found_.push_back(error(ErrorKind::Input, what).at(place(node)).help(hint));
}

bool YamlReader::known_keys(const YAML::Node& node, const std::string& section, const std::vector<std::string>& keys) {
  if (!node.IsMap()) {
    complain(node, section + " must have keys: " + joined(keys));
    return false;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      complain(entry.first, "unknown key `" + key + "` in " + section, suggestion(key, keys));
    else if (!seen.insert(key).second)
      complain(entry.first, "`" + key + "` stands twice in " + section);
  }
  return true;
}

void YamlReader::text(const YAML::Node& section, const std::string& key, std::string& to) {
  if (value(section, key, to, "a text") && to.empty()) complain(section[key], "`" + key + "` is empty");
}

}  // namespace lapis
