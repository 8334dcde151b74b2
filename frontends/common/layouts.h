// Orders of axes. Formats that write channels last (NHWC) are translated without a Transpose around each convolution: a
// value of the source has a form for each order in which somebody wants it, and is turned only where its readers differ
// (docs/adr/0011).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace lapis::frontend {

using Axes = std::vector<int64_t>;

enum class Layout : uint8_t {
  AsWritten,        // [N, H, W, C]
  ChannelsFirst,    // [N, C, H, W]; of values with at least 3 axes
  FlattenedPlanes,  // [N, C * H * W] of what is written as [N, H * W * C]
};
inline constexpr size_t kLayouts = 3;

// The Transpose from the written order to channels first, and back: {0, 3, 1, 2} and {0, 2, 3, 1}.
Axes to_channels_first(size_t rank);
Axes to_channels_last(size_t rank);
// Where an axis of the written order stands.
int64_t axis_in(Layout layout, int64_t axis, size_t rank);
// No element moves, because there is one channel or one pixel: a Reshape does what the Transpose would.
bool moves_nothing(const Type& type, Layout layout);

}  // namespace lapis::frontend
