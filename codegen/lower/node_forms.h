// In which form each node of a graph is computed, chosen before anything else is decided about them.
//
//   LAPIS_TRY(const NodeForms forms, NodeForms::choose(graph, false));
//   forms.role(*node) == Role::Loop
#pragma once

#include <unordered_map>

#include "base/result.h"
#include "codegen/lower/op_lowering.h"

namespace lapis::codegen {

class NodeForms {
 public:
  // Every node must have a form; those that have none are reported together, one diagnostic per operator and reason.
  // With `host_calls` what has no code is called in the reference evaluator.
  static Result<NodeForms> choose(const Graph& graph, bool host_calls);

  // Null for nodes of other graphs.
  const Form* find(const Node& node) const;
  const Form& of(const Node& node) const { return *forms_.at(&node); }
  Role role(const Node& node) const { return of(node).role; }
  bool is_scalar(const Node& node) const;  // of this graph, and elementwise
  LayoutFlow flow(const Node& node) const;
  // True if the value does not leave the graph and is read by elementwise nodes of its shape only:
  // fusion may go on behind it.
  bool goes_on(const Value& value) const;

 private:
  std::unordered_map<const Node*, const Form*> forms_;
};

}  // namespace lapis::codegen
