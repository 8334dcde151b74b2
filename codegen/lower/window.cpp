#include "codegen/lower/window.h"

#include <algorithm>
#include <numeric>

#include "codegen/lower/scalar.h"
#include "ir/op.h"

namespace lapis::codegen {

using Ints = std::vector<int64_t>;

int64_t Window::taps() const { return element_count(kernel); }

bool Window::reads_outside() const {
  auto positive = [](int64_t v) { return v > 0; };
  return std::any_of(halo_begin.begin(), halo_begin.end(), positive) ||
         std::any_of(halo_end.begin(), halo_end.end(), positive);
}

static Ints kernel_of(const Node& node) {
  if (const Ints* kernel = node.attribute_as<Ints>("kernel_shape")) return *kernel;
  const Value* weights = node.input(node.op().name == "QLinearConv" ? 3 : 1);
  const Shape shape = weights->type().shape();
  return {shape.begin() + 2, shape.end()};
}

Window window_of(const Node& node) {
  Window w;
  w.kernel = kernel_of(node);
  const size_t rank = w.rank();
  w.strides = attribute_or(node, "strides", Ints(rank, 1));
  w.dilations = attribute_or(node, "dilations", Ints(rank, 1));
  const Ints pads = attribute_or(node, "pads", Ints(2 * rank, 0));
  w.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
  w.end.assign(pads.begin() + static_cast<int64_t>(rank), pads.end());
  const std::string auto_pad = attribute_or<std::string>(node, "auto_pad", "NOTSET");
  const Shape in = node.input(0)->type().shape(), out = node.output()->type().shape();
  for (size_t i = 0; i < rank; ++i) {
    const int64_t reach = (out[i + 2] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1;
    if (auto_pad.starts_with("SAME")) {
      const int64_t total = std::max<int64_t>(0, reach - in[i + 2]);
      w.begin[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.end[i] = total - w.begin[i];
    } else if (auto_pad == "VALID") {
      w.begin[i] = w.end[i] = 0;
    }
    w.halo_begin.push_back(w.begin[i]);
    w.halo_end.push_back(std::max<int64_t>(0, reach - w.begin[i] - in[i + 2]));
  }
  return w;
}

}  // namespace lapis::codegen
