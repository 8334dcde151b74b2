// Operators that need no code: their result is another View on the same bytes.
// Where strides cannot say it, the input is copied first.
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

std::optional<View> transposed(const Node& node, size_t, const View& in) {
  Ints permutation = node.attrs<ops::TransposeAttrs>().perm;
  if (permutation.empty()) {  // reversed
    permutation.resize(in.shape.size());
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  return permuted(in, permutation);
}

std::optional<View> sliced_by(const Node& node, size_t, const View& in) {
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

std::optional<View> split(const Node& node, size_t output, const View& in) {
  const int64_t axis = ops::normalized(node.attrs<ops::SplitAttrs>().axis, static_cast<int64_t>(in.shape.size()));
  const auto count = [&](size_t i) {
    LAPIS_ASSERT(node.output(i) != nullptr, "Split with an absent output");
    return node.output(i)->type().shape()[static_cast<size_t>(axis)];
  };
  int64_t start = 0;
  for (size_t i = 0; i < output; ++i) start += count(i);
  return sliced(in, axis, start, 1, count(output));
}

std::optional<View> expanded(const Node& node, size_t, const View& in) {
  return broadcast_to(in, node.output()->type().shape());
}

// Reshape, Flatten, Squeeze, Unsqueeze: the same elements in row-major order.
std::optional<View> reinterpreted(const Node& node, size_t, const View& in) {
  return reshaped(in, node.output()->type().shape());
}

}  // namespace

void lower_view(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const ViewFn view_of_result = row_of(node)->result_view;
  const Value* operand = node.input(0);
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    if (!node.output(i)) continue;
    std::optional<View> view = view_of_result(node, i, l.view_of(operand));
    if (!view) view = view_of_result(node, i, l.row_major(l.view_of(operand), operand->name()));
    l.alias(node.output(i), *std::move(view));
  }
}

OpLowerings view_rows() {
  return {
      code_for(ops::Transpose).view(transposed),
      code_for(ops::Slice).view(sliced_by).constants({1, 2, 3, 4}).follows(),
      code_for(ops::Expand).view(expanded).constants({1}),
      code_for(ops::Split).view(split).constants({1}).follows(),
      code_for(ops::Reshape).view(reinterpreted).constants({1}),
      code_for(ops::Flatten).view(reinterpreted),
      code_for(ops::Squeeze).view(reinterpreted).constants({1}),
      code_for(ops::Unsqueeze).view(reinterpreted).constants({1}),
  };
}

}  // namespace lapis::codegen
