// Scope: the values that nodes of one graph or function body can name while it is imported.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "frontends/onnx/protos.h"
#include "ir/graph.h"

namespace lapis::onnx_frontend {

using Opsets = std::map<std::string, int64_t>;  // domain to version

// The names that one graph or function body gives to values, and what nodes in it mean.
struct Scope {
  Graph* graph;
  const Scope* outer = nullptr;  // of the graph around a subgraph; functions see nothing around them
  const Opsets* opsets = nullptr;
  std::unordered_map<std::string, Value*> values = {};  // null: it could not be imported, which has been reported
  std::unordered_map<std::string, const onnx::TypeProto*> declared = {};
  std::string call = {};   // in a function body: the node that was expanded
  std::string owner = {};  // in a function body: the operator that was expanded
  int depth = 0;

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
};

}  // namespace lapis::onnx_frontend
