// The loops of TensorFlow 1, which are circles of nodes in a frame (Enter, Merge, LoopCond, Switch, NextIteration,
// Exit), as the While nodes of TensorFlow 2, whose condition and body are functions:
//
//   i = Enter(0)   m = Merge(i, n)   c = LoopCond(Less(m, 10))   s = Switch(m, c)
//                  n = NextIteration(Add(s:1, 1))   y = Exit(s:0)
//
// becomes y = While(0, cond = Less(., 10), body = Add(., 1)). Loops within loops become While nodes of their functions.
#pragma once

#include "base/result.h"
#include "frontends/tensorflow/graph_def.h"

namespace lapis::tensorflow_frontend {

// Errors: circles that are no such loop, located at their nodes.
Status structure_loops(GraphDef& graph);

}  // namespace lapis::tensorflow_frontend
