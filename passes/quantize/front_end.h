// Contractions that quantization would silently ruin, because a logarithm reads them: a spectrogram (a Fourier
// transform as a Conv, its power, a filter bank as a MatMul, Log). Errors of bytes are as large for small values as for
// large ones; behind Log they are not.
//
//   const auto front = logarithms_behind(graph);
//   if (const auto it = front.find(&node); it != front.end()) ...   // it->second is the Log
#pragma once

#include <unordered_map>

#include "ir/graph.h"

namespace lapis {

// The contractions from which a path of sums, products, powers, roots, bounds and moved values leads to a Log,
// with that Log. Activations and normalizations end a path: what follows them is learned for a bounded range.
std::unordered_map<const Node*, const Node*> logarithms_behind(const Graph& graph);

}  // namespace lapis
