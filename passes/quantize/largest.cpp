#include "passes/quantize/largest.h"

#include <vector>

#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"

namespace lapis {

static bool is_largest_of(const Value* v, const Value* of) {
  const Node* node = v->producer();
  return node && node->is(ops::ReduceMax) && node->input(0) == of;
}

// x - max(x), as softmax begins where it is written out.
static bool is_difference_to_largest(const Value* v) {
  const Node* node = v->producer();
  return node && node->is(ops::Sub) && is_largest_of(node->input(1), node->input(0));
}

static bool begins_softmax(const Node& maximum) {
  const Value* largest = maximum.output();
  return largest->used_once() && is_difference_to_largest(largest->uses()[0].node->output());
}

static bool favours_the_largest(const Node& node) {
  if (node.is(ops::Exp)) return !is_difference_to_largest(node.input(0));
  if (node.is(ops::ReduceMax)) return !begins_softmax(node);
  return node.is(ops::GlobalMaxPool);
}

std::unordered_set<const Value*> whose_largest_count(const Graph& graph) {
  std::unordered_set<const Value*> found;
  std::vector<const Node*> path;
  for (const Node* node : graph.nodes())
    if (favours_the_largest(*node)) path.push_back(node);
  while (!path.empty()) {
    const Node& node = *path.back();
    path.pop_back();
    for (const Value* v : data_operands(node))
      if (found.insert(v).second && v->producer()) path.push_back(v->producer());
  }
  return found;
}

}  // namespace lapis
