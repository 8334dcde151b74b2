// The operators of a model that Lapis cannot import: all of them, one diagnostic for each operator and reason.
//
//   m.tflite: error: operator CONV_2D is not supported: its filter is sparse (2 nodes)
//     note: at 'features/conv1', 'features/conv2'
//     hint: ...
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/diagnostic.h"

namespace lapis::frontend {

struct UnsupportedNode {
  std::string op;           // as its format names it
  std::string where;        // the node of the model
  std::string reason = {};  // empty: Lapis has nothing to translate the operator to
  std::string note = {}, hint = {};
};

class UnsupportedOperators {
 public:
  // The note and the hint of the first node of its kind are shown.
  void add(const UnsupportedNode& node);
  bool empty() const { return found_.empty(); }
  Diagnostics diagnostics() const;

 private:
  struct Entry {
    size_t count = 0;
    std::vector<std::string> first_nodes;
    std::string note, hint;
  };
  std::map<std::pair<std::string, std::string>, Entry> found_;  // by operator and reason
};

}  // namespace lapis::frontend
