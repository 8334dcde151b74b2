#include "frontends/common/layouts.h"

#include <algorithm>

namespace lapis::frontend {

Axes to_channels_first(size_t rank) {
  Axes perm = {0, static_cast<int64_t>(rank) - 1};
  for (size_t axis = 1; axis + 1 < rank; ++axis) perm.push_back(static_cast<int64_t>(axis));
  return perm;
}

Axes to_channels_last(size_t rank) {
  Axes perm = {0};
  for (size_t axis = 2; axis < rank; ++axis) perm.push_back(static_cast<int64_t>(axis));
  perm.push_back(1);
  return perm;
}

int64_t axis_in(Layout layout, int64_t axis, size_t rank) {
  if (layout != Layout::ChannelsFirst || axis == 0) return axis;
  return axis == static_cast<int64_t>(rank) - 1 ? 1 : axis + 1;
}

bool moves_nothing(const Type& type, Layout layout) {
  const Dims& dims = *type.dims;
  const auto is_one = [](const Dim& d) { return d.is(1); };
  const auto channel = layout == Layout::ChannelsFirst ? dims.begin() + 1 : dims.end() - 1;
  const auto pixels = layout == Layout::ChannelsFirst ? dims.begin() + 2 : dims.begin() + 1;
  const auto end = layout == Layout::ChannelsFirst ? dims.end() : dims.end() - 1;
  return is_one(*channel) || std::all_of(pixels, end, is_one);
}

}  // namespace lapis::frontend
