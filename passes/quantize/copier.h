// Two models as one graph: the nodes of each are copied, in order, beside those of the other.
//
//   Copier floats(original, both), bits(quantized, both);      // `both` has the inputs of the models
//   bits.copy_until(*node);
//   bits.of(node->output());                                  // what it is there
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"

namespace lapis {

class Copier {
 public:
  Copier(const Graph& from, Graph& to);
  // Of a value that is an input, a constant, or a result of what is copied.
  Value* of(const Value* v) const { return values_.at(v); }
  void copy_until(const Node& last);

 private:
  bool folded(const Node& node);
  void copy(const Node& node);
  void adopt(const Value* v, Node& twin, size_t i);

  Graph& to_;
  std::unordered_map<const Value*, Value*> values_;
  std::vector<const Node*> waiting_;  // the next one at the end
  std::unordered_set<const Node*> copied_;
};

}  // namespace lapis
