// Window: the geometry of kernels that slide over spatial axes (convolutions and pools).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/infer.h"

namespace lapis::ops {

struct Window {
  std::string auto_pad = "NOTSET";
  bool ceil_mode = false;
  std::vector<int64_t> kernel, strides, dilations, begins, ends;  // one entry for each spatial axis

  size_t rank() const { return kernel.size(); }
  int64_t reach(size_t axis) const {
    return (kernel[axis] - 1) * dilations[axis] + 1;
  }  // input elements from first to last tap
  bool same_padding() const { return auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER"; }
  int64_t taps() const { return element_count(kernel); }

  Dim output(size_t axis, const Dim& input) const;
  Shape output_shape(std::span<const int64_t> input) const;
  // False if all taps of some position may lie in the padding, where there is nothing to choose a maximum from.
  bool meets(const Type& x) const;
  bool meets(size_t axis, const Dim& input) const;
  // The same window with SAME padding as numbers; what evaluation and kernels want.
  Window on(std::span<const int64_t> input) const;
};

// Empty attribute lists get their defaults. An error if a list has the wrong length or a value makes no sense.
struct WindowLists {
  const std::string& auto_pad;
  const std::vector<int64_t>&kernel, &strides, &dilations, &pads;
};
Result<Window> make_window(const InferContext& context, const WindowLists& lists, size_t rank, bool ceil_mode = false);
// The same for nodes that have been inferred before.
Window window_of(const WindowLists& lists, size_t rank, bool ceil_mode = false);
// Its positions along each spatial axis of x, if every axis with elements has one. An axis without elements may have
// none.
Result<Dims> positions(const InferContext& context, const Window& window, const Type& x);
struct ConvAttrs;
struct MaxPoolAttrs;
Window conv_window(const ConvAttrs& attributes, const Shape& weight);
Window pool_window(const MaxPoolAttrs& attributes);
// Of a Conv, ConvInteger, QLinearConv, MaxPool or AveragePool with static types, on its input: SAME padding as numbers.
Window window_of(const Node& node);

// Of a ConvTranspose with constant weights: the window that its *output* slides under, whose positions are the elements
// of x. Nothing where its pads follow from sizes that are not known.
std::optional<Window> transposed_window(const Node& node);

// result[tap * positions + p]: offset of the input element under a tap at output position p, -1 in the padding.
// Offsets and positions are row major over the spatial axes.
std::vector<int64_t> window_offsets(const Window& window, std::span<const int64_t> input,
                                    std::span<const int64_t> output);

}  // namespace lapis::ops
