// Names and order within one graph: what is defined twice, not at all, or in a circle.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"

namespace lapis::frontend {

struct OrderedNode {
  std::vector<std::string_view> reads, writes;  // names of values, without repetition among `reads`; "" is none
};

struct NodeOrder {
  std::vector<size_t> nodes;  // topological; the given order where that is valid already
  Diagnostics diagnostics;    // names without a definition, names with several, cycles
};

// `is_defined` tells which names exist before the first node: inputs, constants, values of enclosing graphs;
// `location_of` where in the model a node stands.
NodeOrder topological_order(std::span<const OrderedNode> nodes, const std::function<bool(std::string_view)>& is_defined,
                            const std::function<std::string(size_t)>& location_of);

}  // namespace lapis::frontend
