// What happens to a sample before the model gets it: an ordered list in the dataset file, one row a transform, one file
// in transforms/ a family. A transform sees the sample without a leading 1: pictures are [H, W, C] when they come from
// a file. docs/datasets.md has the table.
#pragma once

#include <functional>

#include "base/tensor.h"
#include "tuning/data/settings.h"

namespace lapis {

using TransformFunction = std::function<Result<Tensor>(const Tensor&)>;

struct Transform {
  std::string name;
  std::string doc;
  std::vector<Option> options;
  std::function<Result<TransformFunction>(const Settings&)> make;  // fails where the settings contradict each other
};

std::vector<Transform> transforms();

// The families that transforms() lists.
std::vector<Transform> image_transforms();
std::vector<Transform> shape_transforms();
std::vector<Transform> value_transforms();

}  // namespace lapis
