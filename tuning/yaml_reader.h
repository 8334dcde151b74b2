// What readers of YAML files share: every key is known, every value has its type, and every finding names its line.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace lapis {

class YamlReader {
 protected:
  // `kind` and `hint` are for messages: "dataset file", "docs/datasets.md describes the file".
  YamlReader(const Path& file, std::string kind, std::string hint)
      : file_(file.string()), kind_(std::move(kind)), hint_(std::move(hint)) {}

  std::string place(const YAML::Node& node) const;  // "data.yaml:4"
  void complain(const YAML::Node& node, const std::string& what) { complain(node, what, hint_); }
  void complain(const YAML::Node& node, const std::string& what, const std::string& hint);

  // Unknown keys would be settings that silently do nothing; yaml-cpp also takes the same key twice.
  bool known_keys(const YAML::Node& node, const std::string& section, const std::vector<std::string>& keys);

  // False if the key is absent, or its value no T, which is a finding.
  template <class T> bool value(const YAML::Node& section, const std::string& key, T& to, const std::string& wanted) {
    const YAML::Node node = section[key];
    if (!node) return false;
    if (YAML::convert<T>::decode(node, to)) return true;
    complain(node, "not a valid " + kind_ + ": `" + key + "` must be " + wanted +
                       (node.IsScalar() ? ", got '" + node.Scalar() + "'" : ""));
    return false;
  }
  void text(const YAML::Node& section, const std::string& key, std::string& to);

  Diagnostics found_;

 private:
  std::string file_, kind_, hint_;
};

// What `read(root)` makes of a YAML text; what is no YAML at all is a finding too.
template <class Read>
auto read_yaml(const std::string& text, const Path& file, const std::string& kind, const std::string& hint, Read&& read)
    -> decltype(read(YAML::Node())) {
  try {
    return read(YAML::Load(text));
  } catch (const YAML::Exception& e) {
    return error(ErrorKind::Input, "not a valid " + kind + ": " + e.what()).at(file.string()).help(hint);
  }
}

}  // namespace lapis
