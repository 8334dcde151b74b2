// The sliding window of convolutions and pools: kernel, strides, dilations, pads with auto_pad resolved. One entry a spatial axis.
#pragma once

#include "ir/graph.h"

namespace lapis::codegen {

struct Window {
  std::vector<int64_t> kernel, strides, dilations, begin, end;  // begin/end: the model's padding
  std::vector<int64_t> halo_begin, halo_end;  // elements outside the input that the window really reads

  size_t rank() const { return kernel.size(); }
  int64_t taps() const;
  bool reads_outside() const;
};

// Of a node with static types; `kernel` from the attribute kernel_shape or, for convolutions, from the weights' shape.
Window window_of(const Node& node);

}  // namespace lapis::codegen
