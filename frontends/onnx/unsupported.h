// The operators of a model that Lapis cannot import: all of them, one diagnostic each.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

class UnsupportedOperators {
 public:
  // `where` names the node of the model; `owner` is the operator whose definition contains the node, if it comes from one.
  void add(const onnx::NodeProto& node, const std::string& where, const std::string& owner);
  bool empty() const { return found_.empty(); }
  Diagnostics diagnostics() const;

 private:
  struct Entry {
    size_t count = 0;
    std::vector<std::string> first_nodes;
    std::string owner;
  };
  std::map<std::string, Entry> found_;
};

}  // namespace lapis::onnx_frontend
