// Operators that copy: Concat, Pad, Tile, DepthToSpace, SpaceToDepth.
#include <algorithm>

#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Ints = std::vector<int64_t>;

void concat(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const View out = l.allocate(node.output());
  int64_t axis = node.attrs<ops::ConcatAttrs>().axis, start = 0;
  if (axis < 0) axis += static_cast<int64_t>(out.shape.size());
  for (const Value* input : node.inputs()) {
    const View part = l.view_of(input);
    const int64_t count = part.shape[static_cast<size_t>(axis)];
    if (element_count(part.shape) > 0) lower_copy(l, region, part, sliced(out, axis, start, 1, count));
    start += count;
  }
}

// Pads by axis; negative pads crop.
std::pair<Ints, Ints> pads_of(const Node& node, size_t rank) {
  Ints begin(rank, 0), end(rank, 0), axes;
  const Ints pads = node.input(1)->constant().as_ints();
  if (node.input(3))
    axes = node.input(3)->constant().as_ints();
  else
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + static_cast<int64_t>(rank) : axes[i]);
    begin[axis] = pads[i];
    end[axis] = pads[i + axes.size()];
  }
  return {begin, end};
}

void pad(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  View from = l.view_of(node.input(0));
  const View out = l.allocate(node.output());
  const auto [begin, end] = pads_of(node, out.shape.size());
  const Immediate value = node.input(2) ? Immediate::element(node.input(2)->constant(), 0) : Immediate(0);
  View interior = out, whole = out;
  for (size_t i = 0; i < out.shape.size(); ++i) {
    const auto axis = static_cast<int64_t>(i);
    // Element j of the result is element j - begin of the input, where that exists.
    const int64_t size = out.shape[i], left = std::clamp<int64_t>(begin[i], 0, size),
                  kept = std::clamp<int64_t>(begin[i] + from.shape[i], left, size) - left, right = size - left - kept;
    const int64_t cropped = kept ? left - begin[i] : 0;
    from = sliced(from, axis, cropped, 1, kept);
    interior = sliced(interior, axis, left, 1, kept);
    if (left) l.emit_fill(sliced(whole, axis, 0, 1, left), value, node.output()->name());
    if (right) l.emit_fill(sliced(whole, axis, left + kept, 1, right), value, node.output()->name());
    whole = sliced(whole, axis, left, 1, kept);  // later axes fill only beside what is already done
  }
  lower_copy(l, region, from, interior);
}

// Each axis is two loops: repeats outside, the input's elements inside.
void tile(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const View from = l.view_of(node.input(0)), out = l.allocate(node.output());
  View source{from.buffer, from.dtype, {}, {}, from.offset}, target{out.buffer, out.dtype, {}, {}, out.offset};
  for (size_t i = 0; i < out.shape.size(); ++i) {
    const int64_t repeats = from.shape[i] ? out.shape[i] / from.shape[i] : 0;
    for (View* v : {&source, &target}) v->shape.insert(v->shape.end(), {repeats, from.shape[i]});
    source.strides.insert(source.strides.end(), {0, from.strides[i]});
    target.strides.insert(target.strides.end(), {from.shape[i] * out.strides[i], out.strides[i]});
  }
  lower_copy(l, region, source, target);
}

// View of one axis split in two.
View split_axis(const View& v, size_t axis, int64_t outer, int64_t inner) {
  View r = v;
  r.shape[axis] = outer;
  r.strides[axis] = v.strides[axis] * inner;
  r.shape.insert(r.shape.begin() + static_cast<int64_t>(axis) + 1, inner);
  r.strides.insert(r.strides.begin() + static_cast<int64_t>(axis) + 1, v.strides[axis]);
  return r;
}

// Both operators map [N, C', H, b, W, b] on one side to channels (b, b, c) or (c, b, b) on the other.
void depth_space(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const bool to_space = node.is(ops::DepthToSpace);
  const int64_t block =
      to_space ? node.attrs<ops::DepthToSpaceAttrs>().blocksize : node.attrs<ops::SpaceToDepthAttrs>().blocksize;
  const View in = l.view_of(node.input(0)), out = l.allocate(node.output());
  const View &deep = to_space ? in : out, &wide = to_space ? out : in;
  const bool crd = to_space && node.attrs<ops::DepthToSpaceAttrs>().mode == "CRD";
  const int64_t channels = wide.shape[1];
  // deep as [N, b, b, C, H, W] (or [N, C, b, b, H, W]); wide as [N, C, H, b, W, b]
  View d = crd ? split_axis(split_axis(deep, 1, channels * block, block), 1, channels, block)
               : split_axis(split_axis(deep, 1, block * block, channels), 1, block, block);
  d = permuted(d, crd ? Ints{0, 1, 4, 2, 5, 3} : Ints{0, 3, 4, 1, 5, 2});
  const View w = split_axis(split_axis(wide, 3, deep.shape[3], block), 2, deep.shape[2], block);
  lower_copy(l, region, to_space ? d : w, to_space ? w : d);
}

Status constant_mode(const Node& node) {
  const std::string mode = node.attrs<ops::PadAttrs>().mode;
  if (mode != "constant") return refuse("mode '" + mode + "'");
  return ok();
}

}  // namespace

OpLowerings copy_rows() {
  return {
      code_for(ops::Concat).copy(concat).follows(),
      code_for(ops::Pad).copy(pad, constant_mode).constants({1, 2, 3}).follows(),
      code_for(ops::Tile).copy(tile).constants({1}),
      code_for(ops::DepthToSpace).copy(depth_space),
      code_for(ops::SpaceToDepth).copy(depth_space),
  };
}

}  // namespace lapis::codegen
