// Values of which the largest count for more than their share, because an exponential or a maximum reads what comes of
// them: the one makes its result of them almost alone, the other keeps nothing else. The least mean squared error cuts
// them off where they are few.
//
//   if (whose_largest_count(graph).contains(v)) range.method = RangeMethod::MinMax;
#pragma once

#include <unordered_set>

#include "ir/graph.h"

namespace lapis {

// The values from which a path leads to an Exp, a ReduceMax or a GlobalMaxPool. An Exp of differences to the largest (a
// softmax) has no result above 1 and does not count.
std::unordered_set<const Value*> whose_largest_count(const Graph& graph);

}  // namespace lapis
