// Resize and crops: of pictures [H, W] or [H, W, C].
#include <algorithm>
#include <cmath>

#include "tuning/data/image.h"
#include "tuning/data/transforms.h"

namespace lapis {
namespace {

constexpr double kLargest = 1 << 15;  // pixels along an axis

Result<Tensor> picture(const Settings& settings, const Tensor& t) {
  const bool is_one = (t.rank() == 2 || t.rank() == 3) && (t.dtype() == DType::UInt8 || t.dtype() == DType::Float32);
  if (!is_one || t.size() == 0)
    return settings.problem("this transform is for pictures, uint8 or float32 [H,W] or [H,W,C], got " +
                            to_string(t, 0));
  return t;
}

// `size: n` or `size: [height, width]`
Result<std::vector<int64_t>> size_of(const Settings& settings) {
  std::vector<int64_t> size = settings.wholes("size");
  if (size.empty() || size.size() > 2) return settings.problem("`size` is one number, or height and width");
  return size;
}

Filter filter_of(const std::string& name) {
  return name == "nearest" ? Filter::Nearest : name == "bicubic" ? Filter::Bicubic : Filter::Bilinear;
}

// The short side becomes `side`, the long one follows.
std::pair<int64_t, int64_t> scaled(int64_t height, int64_t width, int64_t side) {
  const int64_t longer = std::max(height, width) * side / std::min(height, width);
  return height < width ? std::pair(side, longer) : std::pair(longer, side);
}

Result<TransformFunction> make_resize(const Settings& settings) {
  LAPIS_TRY(const std::vector<int64_t> size, size_of(settings));
  const Filter filter = filter_of(settings.text("filter"));
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    LAPIS_TRY(const Tensor image, picture(settings, t));
    const auto [height, width] =
        size.size() == 2 ? std::pair(size[0], size[1]) : scaled(image.dim(0), image.dim(1), size[0]);
    if (static_cast<double>(std::max(height, width)) > kLargest)
      return settings.problem("a picture of " + to_string(image.shape()) + " would become too large");
    return resized(image, height, width, filter);
  });
}

Result<TransformFunction> make_center_crop(const Settings& settings) {
  LAPIS_TRY(const std::vector<int64_t> size, size_of(settings));
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    LAPIS_TRY(const Tensor image, picture(settings, t));
    const int64_t height = size[0], width = size.back();
    if (image.dim(0) < height || image.dim(1) < width)
      return settings.problem("the picture " + to_string(image.shape()) + " is smaller than the centre crop");
    return center_cropped(image, height, width);
  });
}

Result<TransformFunction> make_crop(const Settings& settings) {
  const std::vector<int64_t> box = settings.wholes("box");
  if (box.size() != 4 || box[2] < 1 || box[3] < 1)
    return settings.problem("`box` is top, left, height and width, the last two 1 or more");
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    LAPIS_TRY(const Tensor image, picture(settings, t));
    if (box[0] + box[2] > image.dim(0) || box[1] + box[3] > image.dim(1))
      return settings.problem("the box does not lie inside of the picture " + to_string(image.shape()));
    return cropped(image, box[0], box[1], box[2], box[3]);
  });
}

}  // namespace

std::vector<Transform> image_transforms() {
  const Option size{.name = "size",
                    .kind = OptionKind::Wholes,
                    .doc = "height and width, or one number",
                    .required = true,
                    .low = 1,
                    .high = kLargest};
  return {
      {.name = "resize",
       .doc = "as Pillow resizes (filters widen when they shrink); one number: the short side, the long one follows",
       .options = {size,
                   {.name = "filter",
                    .doc = "bilinear (default), nearest, bicubic",
                    .choices = {"bilinear", "nearest", "bicubic"}}},
       .make = make_resize},
      {.name = "center_crop",
       .doc = "the middle of the picture; one number: a square",
       .options = {size},
       .make = make_center_crop},
      {.name = "crop",
       .doc = "a part of the picture",
       .options = {{.name = "box",
                    .kind = OptionKind::Wholes,
                    .doc = "top, left, height, width",
                    .required = true,
                    .low = 0,
                    .high = kLargest}},
       .make = make_crop},
  };
}

}  // namespace lapis
