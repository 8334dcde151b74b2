// Operators that need no code: their result is another View on the same bytes. Where strides cannot say it, the input is copied first.
#include <algorithm>
#include <numeric>

#include "codegen/lower/lowering.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Ints = std::vector<int64_t>;

int64_t normalized(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

View transposed(const Node& node, const View& in) {
  Ints permutation = node.attrs<ops::TransposeAttrs>().perm;
  if (permutation.empty()) {  // reversed
    permutation.resize(in.shape.size());
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  return permuted(in, permutation);
}

View sliced_by(const Node& node, View view) {
  const auto rank = static_cast<int64_t>(view.shape.size());
  const Ints starts = node.input(1)->constant().as_ints();
  Ints axes(starts.size()), steps(starts.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (node.input(3)) axes = node.input(3)->constant().as_ints();
  if (node.input(4)) steps = node.input(4)->constant().as_ints();
  const Shape result = node.output()->type().shape();
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = normalized(axes[i], rank), size = view.shape[static_cast<size_t>(axis)];
    const int64_t start = normalized(starts[i], size);
    const int64_t clamped =
        steps[i] > 0 ? std::clamp<int64_t>(start, 0, size) : std::clamp<int64_t>(start, 0, size - 1);
    view = sliced(view, axis, clamped, steps[i], result[static_cast<size_t>(axis)]);
  }
  return view;
}

void split(Lowering& l, const Node& node, const View& in) {
  const int64_t axis = normalized(node.attrs<ops::SplitAttrs>().axis, static_cast<int64_t>(in.shape.size()));
  int64_t start = 0;
  for (const Value* output : node.outputs()) {
    LAPIS_ASSERT(output != nullptr, "Split with an absent output");
    const int64_t count = output->type().shape()[static_cast<size_t>(axis)];
    l.alias(output, sliced(in, axis, start, 1, count));
    start += count;
  }
}

// Reshape, Flatten, Squeeze, Unsqueeze: the same elements in row-major order.
View reinterpreted(Lowering& l, const Node& node, const View& in) {
  const Shape shape = node.output()->type().shape();
  if (auto view = reshaped(in, shape)) return *view;
  const Value* input = node.input(0);
  const int buffer = l.arena_buffer(input->name() + ".row_major", byte_size(in.dtype, element_count(in.shape)));
  const View copy = row_major_view(buffer, in.dtype, in.shape);
  l.emit_copy(in, copy, input->name() + ".row_major");
  return *reshaped(copy, shape);
}

}  // namespace

Status lower_view(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const View in = l.view_of(node.input(0));
  if (node.is(ops::Split))
    split(l, node, in);
  else if (node.is(ops::Transpose))
    l.alias(node.output(), transposed(node, in));
  else if (node.is(ops::Slice))
    l.alias(node.output(), sliced_by(node, in));
  else if (node.is(ops::Expand))
    l.alias(node.output(), broadcast_to(in, node.output()->type().shape()));
  else
    l.alias(node.output(), reinterpreted(l, node, in));
  return ok();
}

}  // namespace lapis::codegen
