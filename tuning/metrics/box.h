// Boxes, and how much two of them overlap.
#pragma once

#include <algorithm>

namespace lapis {

struct Box {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  double area() const { return (x1 - x0) * (y1 - y0); }
};

inline double intersection(const Box& a, const Box& b) {
  return std::max(0.0, std::min(a.x1, b.x1) - std::max(a.x0, b.x0)) *
         std::max(0.0, std::min(a.y1, b.y1) - std::max(a.y0, b.y0));
}

// Intersection over union.
inline double overlap(const Box& a, const Box& b) {
  const double shared = intersection(a, b);
  return shared / (a.area() + b.area() - shared);
}

}  // namespace lapis
