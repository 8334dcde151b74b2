// Scope: the values that nodes of one graph or function body can name while it is imported.
#pragma once

#include <string>
#include <unordered_map>

#include "ir/graph.h"

namespace lapis::frontend {

struct Scope {
  Graph* graph;
  const Scope* outer = nullptr;  // of the graph around a subgraph; functions see nothing around them
  std::unordered_map<std::string, Value*> values =
      {};                  // null: poisoned, it could not be imported, which has been reported
  std::string call = {};   // in a function body: the node that was expanded
  std::string owner = {};  // in a function body: the operator that was expanded
  int depth = 0;

  bool is_top() const { return !outer && depth == 0; }
  Value* const* find(const std::string& name) const {
    for (const Scope* s = this; s; s = s->outer)
      if (const auto it = s->values.find(name); it != s->values.end()) return &it->second;
    return nullptr;
  }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  Value* value(const std::string& name) const {
    Value* const* found = find(name);
    return found ? *found : nullptr;
  }
  void poison(const std::string& name) {
    if (!name.empty()) values[name] = nullptr;
  }
};

}  // namespace lapis::frontend
