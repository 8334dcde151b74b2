// What a feature map has below boxes, sampled between its pixels: ROIAlign, as MXNet and torchvision have it.
#pragma once

#include "frontends/common/formula.h"

namespace lapis::frontend {

struct Regions {
  std::vector<int64_t> size;  // rows, columns of cells
  double scale, offset;       // of a box to the map; without an offset a box has at least one pixel
  int64_t samples;            // of a cell, along each axis
};

// [R, C, rows, columns] of a map [N, C, H, W] and boxes [R, 5] of (image, left, top, right, bottom).
// One of no image (-1) has zeros.
Result<Value*> below_boxes(Translation& t, Value* map, Value* boxes, const Regions& regions);

}  // namespace lapis::frontend
