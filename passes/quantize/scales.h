// One scale for all values that value-preserving operators connect, so that their bytes can be moved without
// requantizing.
#pragma once

#include <string>
#include <vector>

#include "passes/quantize/place.h"

namespace lapis {

struct ScaleGroups {
  std::vector<size_t> group_of;    // by index in Placement::values
  std::vector<Range> ranges;       // by group
  std::vector<std::string> notes;  // operands of Concat that keep scales of their own, and why
};

// A group's range is the union of its members', clamped where all readers are Relu or Clip.
ScaleGroups share_scales(const Placement& placement, const Graph& graph, const Ranges& ranges, double share_limit);

}  // namespace lapis
