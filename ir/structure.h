// Structural identity: hashes and comparisons of attributes and whole graphs, for merging equal nodes and for "did
// this pass change anything".
#pragma once

#include <cstdint>

#include "ir/graph.h"

namespace lapis {

// Bit by bit (0.0 and -0.0 differ), tensors by content, subgraphs by identity.
uint64_t hash_of(const Attributes& attributes);
bool same(const Attributes& a, const Attributes& b);

// Of names, types, wiring, attributes and constants, subgraphs included. Large constants count by the place of their
// bytes, so the
// number means something within one run only.
uint64_t fingerprint(const Graph& graph);

// Nodes of the graph and of all subgraphs.
size_t total_node_count(const Graph& graph);

// visitor(Graph&): the innermost graphs first, `graph` itself last.
template <class Visitor> void for_each_graph(Graph& graph, Visitor&& visitor) {
  for (Node* node : graph.nodes())
    for (Graph* subgraph : node->subgraphs()) for_each_graph(*subgraph, visitor);
  visitor(graph);
}

}  // namespace lapis
