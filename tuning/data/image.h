// What pictures share: uint8 [H, W, C] or float32 of the same shape.
#pragma once

#include <span>

#include "base/result.h"
#include "base/tensor.h"

namespace lapis {

// RGB; `where` is for messages.
Result<Tensor> decode_image(const std::string& file);
Result<Tensor> decode_image(std::span<const std::byte> encoded, const std::string& where);

// The box [top, top + height) x [left, left + width) of the first two axes.
Tensor cropped(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width);
// The middle; of an odd rest the larger half is behind.
Tensor center_cropped(const Tensor& image, int64_t height, int64_t width);

enum class Filter { Nearest, Bilinear, Bicubic };
// As Pillow's resize: filters widen when they shrink (no aliasing), across first, then down, bytes rounded after each.
Tensor resized(const Tensor& image, int64_t height, int64_t width, Filter filter);

}  // namespace lapis
