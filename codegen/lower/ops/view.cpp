// Operators that need no code: their result is another View on the same bytes. Where strides cannot say it, the input is copied first.
#include <algorithm>
#include <numeric>

#include "codegen/lower/lowering.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Ints = std::vector<int64_t>;

View transposed(const Node& node, const View& in) {
  Ints permutation = node.attrs<ops::TransposeAttrs>().perm;
  if (permutation.empty()) {  // reversed
    permutation.resize(in.shape.size());
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  return permuted(in, permutation);
}

View sliced_by(const Node& node, const View& in) {
  View view = in;
  const auto rank = static_cast<int64_t>(view.shape.size());
  const Ints starts = node.input(1)->constant().as_ints();
  Ints axes(starts.size()), steps(starts.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (node.input(3)) axes = node.input(3)->constant().as_ints();
  if (node.input(4)) steps = node.input(4)->constant().as_ints();
  const Shape result = node.output()->type().shape();
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = ops::normalized(axes[i], rank), size = view.shape[static_cast<size_t>(axis)];
    const int64_t start = ops::normalized(starts[i], size);
    const int64_t clamped =
        steps[i] > 0 ? std::clamp<int64_t>(start, 0, size) : std::clamp<int64_t>(start, 0, size - 1);
    view = sliced(view, axis, clamped, steps[i], result[static_cast<size_t>(axis)]);
  }
  return view;
}

void split(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const View in = l.view_of(node.input(0));
  const int64_t axis = ops::normalized(node.attrs<ops::SplitAttrs>().axis, static_cast<int64_t>(in.shape.size()));
  int64_t start = 0;
  for (const Value* output : node.outputs()) {
    LAPIS_ASSERT(output != nullptr, "Split with an absent output");
    const int64_t count = output->type().shape()[static_cast<size_t>(axis)];
    l.alias(output, sliced(in, axis, start, 1, count));
    start += count;
  }
}

View expanded(const Node& node, const View& in) { return broadcast_to(in, node.output()->type().shape()); }

// Reshape, Flatten, Squeeze, Unsqueeze: the same elements in row-major order.
View reinterpreted(Lowering& l, const Node& node, const View& in) {
  const Shape shape = node.output()->type().shape();
  if (auto view = reshaped(in, shape)) return *view;
  return *reshaped(l.row_major(in, node.input(0)->name()), shape);
}

// The row whose result is `view` of operand 0.
template <View (*kView)(const Node&, const View&)> void alias(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  l.alias(node.output(), kView(node, l.view_of(node.input(0))));
}
void reinterpret(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  l.alias(node.output(), reinterpreted(l, node, l.view_of(node.input(0))));
}

}  // namespace

OpLowerings view_rows() {
  return {
      code_for(ops::Transpose).view(alias<transposed>),
      code_for(ops::Slice).view(alias<sliced_by>).constants({1, 2, 3, 4}).follows(),
      code_for(ops::Expand).view(alias<expanded>).constants({1}),
      code_for(ops::Split).view(split).constants({1}).follows(),
      code_for(ops::Reshape).view(reinterpret).constants({1}),
      code_for(ops::Flatten).view(reinterpret),
      code_for(ops::Squeeze).view(reinterpret).constants({1}),
      code_for(ops::Unsqueeze).view(reinterpret).constants({1}),
  };
}

}  // namespace lapis::codegen
