// Names in the graph that is imported: the model's outputs keep theirs,
// everything else gets a suffix where a name is taken.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "frontends/common/scope.h"

namespace lapis::frontend {

class Names {
 public:
  // Outputs of the model: nothing else may take their names first.
  void reserve(std::string output) { reserved_.insert(std::move(output)); }
  bool is_reserved(const std::string& name) const { return reserved_.contains(name); }

  // What the value `name` of a scope is called in the graph; what an expansion makes is called <node>/<name>.
  std::string value(const std::string& name, const Scope& scope) const;
  // For values that the import makes beside those of the model.
  std::string made(const std::string& name) const { return is_reserved(name) ? name + "_inner" : name; }
  // A name for a node that no other node has.
  std::string node(std::string name, const Scope& scope);

 private:
  std::unordered_set<std::string> reserved_, nodes_;
  std::unordered_map<std::string, size_t> suffixes_;  // the last one that made a name of a node unique
};

}  // namespace lapis::frontend
