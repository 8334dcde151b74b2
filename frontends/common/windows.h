// Windows over pixels: what convolutions and pools of all formats have in common.
#pragma once

#include "ir/ops/attributes.h"
#include "ir/type.h"

namespace lapis::frontend {

struct Window {
  std::vector<int64_t> kernel, strides, dilations;
  std::string auto_pad = "NOTSET";
  std::vector<int64_t> pads = {};
};

// The permutation that brings the last two axes of a filter [H, W, in, out] to the front, swapped or not:
// {3, 2, 0, 1} or {2, 3, 0, 1}.
std::vector<int64_t> filters_first(size_t rank, bool swapped);

// Sizes below 1 and beyond 32 bits are errors.
Status check(const Window& window);

// SAME: as many results as strides, the odd pixel of padding behind.
// Numbers where the size of the image, which has its channels first, is known.
void pad_same(Window& window, const Type& image);

// The other way around, to `sizes` pixels: SAME cuts off both ends alike, otherwise the end;
// what is missing is added there.
Result<ops::ConvTransposeAttrs> transposed(const Window& window, const Type& image, const Dims& sizes, bool same);

template <class Attrs> Attrs pool_attributes(const Window& w) {
  Attrs attributes;
  attributes.auto_pad = w.auto_pad;
  attributes.kernel_shape = w.kernel;
  attributes.pads = w.pads;
  attributes.strides = w.strides;
  return attributes;
}

}  // namespace lapis::frontend
