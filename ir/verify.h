// The invariants of a Graph. A pass may rely on them and must keep them; the runner checks them between passes.
//
// Structure
//   S1  Every value has a name, and no two values of the whole model (subgraphs included) share one.
//   S2  A value is exactly one of: an input, a constant, an output of a node. An output knows its node, index
//       and graph.
//   S3  A node reads values of its own graph or of an enclosing one, defined before it (topological order).
//   S4  Use lists are exact: value.uses() holds (node, i) exactly once for every node.input(i) == value, and
//       nothing else.
//   S5  A graph has at least one output; every output is a value of that very graph and listed once.
//   S6  A subgraph is held by one attribute of one node, and its parent is that node's graph.
// Records
//   R1  A node has no more inputs and outputs than its operator's record allows, and its required ones are present.
//   R2  A node's attributes are known to the record and stored with the declared kind; required ones are present.
// Types
//   T1  Every value has a type (a tensor's dtype is never undefined); a constant's type is its tensor's.
//   T2  Operands have types that the record allows.
//   T3  What the record infers from the operands does not contradict the declared output types. This covers everything
//       a record checks: channels of Conv, scales of QuantizeLinear against the quantized axis, ranges of axes, ...
#pragma once

#include "base/diagnostic.h"
#include "ir/graph.h"

namespace lapis {

enum class VerifyLevel {
  Structure,  // S and R: linear and cheap, no inference
  Full,
};

// Every violation with its node, operator and operand types. Types are not checked while the structure is broken.
Diagnostics verify(const Graph& graph, VerifyLevel level = VerifyLevel::Full);

}  // namespace lapis
