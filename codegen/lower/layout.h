// Layout: which values are kept channels last, and with how wide a halo around their spatial axes, so that convolutions and pools
// read padding from memory instead of testing for borders.
#pragma once

#include <optional>
#include <unordered_map>

#include "codegen/lower/fuse.h"

namespace lapis::codegen {

struct Halo {
  std::vector<int64_t> begin, end;  // per spatial axis
  double fill = 0;                  // what the border holds: zero, the zero point, or the lowest value for MaxPool
  bool empty() const;
  bool covers(const Halo& other) const;  // at least as wide, with the same fill
};

struct Layout {
  bool channels_last = false;
  std::optional<Halo> halo;
};

using Layouts = std::unordered_map<const Value*, Layout>;

// What the node reads around its first input; nullopt if it has no window or does not leave the input.
std::optional<Halo> required_halo(const Node& node);
Layouts assign_layouts(const Graph& graph);

}  // namespace lapis::codegen
