#include "frontends/common/windows.h"

#include <algorithm>

namespace lapis::frontend {
namespace {

// What is cut off the result, and what is added behind it, along one axis.
struct Cut {
  int64_t begin = 0, end = 0, added = 0;
};
Result<Cut> cut_of(const Dim& in, const Dim& out, int64_t reach, int64_t stride, bool same) {
  const Dim total = (in - 1) * Dim(stride) + Dim(reach) - out;
  if (!total.is_constant()) return error(ErrorKind::Unsupported, "a result whose size is not known");
  if (total.value() < 0) return Cut{0, 0, -total.value()};
  if (!same) return Cut{0, total.value(), 0};
  return Cut{total.value() / 2, total.value() - total.value() / 2, 0};
}

}  // namespace

std::vector<int64_t> filters_first(size_t rank, bool swapped) {
  const auto last = static_cast<int64_t>(rank) - 1;
  std::vector<int64_t> perm = swapped ? std::vector<int64_t>{last, last - 1} : std::vector<int64_t>{last - 1, last};
  for (int64_t axis = 0; axis < last - 1; ++axis) perm.push_back(axis);
  return perm;
}

Status check(const Window& w) {
  constexpr int64_t kMost = INT32_MAX;
  for (const auto* list : {&w.kernel, &w.strides, &w.dilations})
    for (const int64_t v : *list)
      if (v < 1 || v > kMost)
        return error(ErrorKind::Input, "has a kernel, stride or dilation of " + std::to_string(v));
  return ok();
}

void pad_same(Window& w, const Type& image) {
  w.auto_pad = "SAME_UPPER";
  std::vector<int64_t> begins, ends;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const Dim& size = (*image.dims)[2 + i];
    if (!size.is_constant()) return;
    const int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
    const int64_t results = (size.value() + w.strides[i] - 1) / w.strides[i];
    const int64_t total = std::max<int64_t>(0, (results - 1) * w.strides[i] + reach - size.value());
    begins.push_back(total / 2);
    ends.push_back(total - total / 2);
  }
  w.auto_pad = "NOTSET";
  w.pads = begins;
  w.pads.insert(w.pads.end(), ends.begin(), ends.end());
  if (std::ranges::all_of(w.pads, [](int64_t p) { return p == 0; })) w.pads.clear();
}

Result<ops::ConvTransposeAttrs> transposed(const Window& w, const Type& image, const Dims& sizes, bool same) {
  ops::ConvTransposeAttrs attributes;
  attributes.dilations = w.dilations;
  attributes.kernel_shape = w.kernel;
  attributes.strides = w.strides;
  std::vector<int64_t> ends;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
    LAPIS_TRY(const Cut cut, cut_of(image.dim(static_cast<int64_t>(i) + 2), sizes[i], reach, w.strides[i], same));
    attributes.pads.push_back(cut.begin);
    ends.push_back(cut.end);
    attributes.output_padding.push_back(cut.added);
  }
  attributes.pads.insert(attributes.pads.end(), ends.begin(), ends.end());
  return attributes;
}

}  // namespace lapis::frontend
