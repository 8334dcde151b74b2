// How far strided accesses go, and whether they meet: the arithmetic of verify_plan.h. Far beyond every buffer all
// numbers are one, so that a plan with strides of any size is judged without overflowing.
//
//   Reach reach(view.offset);
//   reach.along(stride, extent);             // for each dimension
//   reach.last - reach.first + 1             // elements between the ends
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "codegen/plan.h"

namespace lapis::codegen {

struct Reach {
  static constexpr int64_t kFar = int64_t{1} << 55;  // eight bytes each still fit 64 bits

  int64_t first = 0, last = -1;  // nothing if first > last
  Reach() = default;
  explicit Reach(int64_t at) : first(near(at)), last(near(at)) {}

  void along(int64_t stride, int64_t extent) {
    int64_t distance = 0;
    const bool overflows = __builtin_mul_overflow(stride, extent - 1, &distance);
    int64_t& end = stride < 0 ? first : last;
    end = near(end + (overflows ? (stride < 0 ? -kFar : kFar) : near(distance)));
  }
  bool empty() const { return first > last; }
  int64_t count() const { return last - first + 1; }

 private:
  static int64_t near(int64_t value) { return std::clamp(value, -kFar, kFar); }
};

// The elements of a view, relative to its buffer.
Reach reach_of(const View& view);

// One dimension of a set of accesses.
struct Steps {
  int64_t stride = 0, extent = 1;
};
// True if accesses of `width` elements that are so many steps apart all meet different elements. They do if each
// dimension steps over everything inside of it, as those of tensors, slices and slabs of halos do; what does so in
// another way is not recognized.
bool all_different(std::vector<Steps> dimensions, int64_t width = 1);

}  // namespace lapis::codegen
