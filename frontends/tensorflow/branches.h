// The branches of TensorFlow 1 whose predicate only the run tells: values go through a Switch into the branch that is
// taken, and a Merge hands on what comes out. They become If nodes, whose branches are graphs of their own:
//
//   s = Switch(x, p);  y = Merge(Neg(s:0), Relu(s:1))   becomes   y = If(p, x, then: Relu, else: Neg)
#pragma once

#include "frontends/common/source_graph.h"

namespace lapis::tensorflow_frontend {

// Where nodes are no such branch, Switch and Merge stay, which have no translator.
void structure_branches(frontend::SourceGraph& graph);

}  // namespace lapis::tensorflow_frontend
