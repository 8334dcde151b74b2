#include "frontends/common/windows.h"

#include <algorithm>

namespace lapis::frontend {

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

}  // namespace lapis::frontend
