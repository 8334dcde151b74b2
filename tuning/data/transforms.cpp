#include "tuning/data/transforms.h"

namespace lapis {

std::vector<Transform> transforms() {
  std::vector<Transform> all;
  for (auto family : {image_transforms, shape_transforms, value_transforms})
    for (Transform& transform : family()) all.push_back(std::move(transform));
  return all;
}

}  // namespace lapis
