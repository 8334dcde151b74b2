#include "codegen/reach.h"

#include <cstdlib>

namespace lapis::codegen {

Reach reach_of(const View& view) {
  Reach reach(view.offset);
  for (size_t i = 0; i < view.shape.size(); ++i) {
    if (view.shape[i] == 0) return {};
    reach.along(view.strides[i], view.shape[i]);
  }
  return reach;
}

bool all_different(std::vector<Steps> dimensions, int64_t width) {
  std::erase_if(dimensions, [](const Steps& d) { return d.extent <= 1; });
  std::ranges::sort(dimensions, {}, [](const Steps& d) { return std::abs(d.stride); });
  Reach inside(0);
  inside.along(1, width);
  for (const Steps& d : dimensions) {
    if (std::abs(d.stride) < inside.count()) return false;
    inside.along(std::abs(d.stride), d.extent);
  }
  return true;
}

}  // namespace lapis::codegen
