// Operators that copy: Concat, Pad, Tile, DepthToSpace, SpaceToDepth.
#include <algorithm>

#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/movement.h"
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

// What lies around the input: a number, or a computed value that is copied everywhere.
class Border {
 public:
  Border(Lowering& l, const Node& node) : l_(l), name_(node.output()->name()), value_(node.input(2)) {}
  void fill(const View& part) {
    if (value_ && !value_->is_constant())
      l_.emit_copy(broadcast_to(*reshaped(l_.view_of(value_), {}), part.shape), part, name_);
    else
      l_.emit_fill(part, value_ ? Immediate::element(value_->constant(), 0) : Immediate(0), name_);
  }

 private:
  Lowering& l_;
  const std::string name_;
  const Value* const value_;
};

void pad_with_constant(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  View from = l.view_of(node.input(0));
  const View out = l.allocate(node.output());
  const auto [begin, end] = pads_of(node, out.shape.size());
  Border border(l, node);
  View interior = out, whole = out;
  for (size_t i = 0; i < out.shape.size(); ++i) {
    const auto axis = static_cast<int64_t>(i);
    // Element j of the result is element j - begin of the input, where that exists.
    const int64_t size = out.shape[i], left = std::clamp<int64_t>(begin[i], 0, size),
                  kept = std::clamp<int64_t>(begin[i] + from.shape[i], left, size) - left, right = size - left - kept;
    const int64_t cropped = kept ? left - begin[i] : 0;
    from = sliced(from, axis, cropped, 1, kept);
    interior = sliced(interior, axis, left, 1, kept);
    if (left) border.fill(sliced(whole, axis, 0, 1, left));
    if (right) border.fill(sliced(whole, axis, left + kept, 1, right));
    whole = sliced(whole, axis, left, 1, kept);  // later axes fill only beside what is already done
  }
  lower_copy(l, region, from, interior);
}

// A stretch of the result along one axis that is one of the input:
// elements from, from + step, ..., with a step of 1, -1 or 0.
struct Stretch {
  int64_t start, count, from, step;
};
using Stretches = std::vector<Stretch>;  // of one axis, in order

// One more element behind the stretch, if it goes on there.
bool goes_on(Stretch& s, int64_t position) {
  const int64_t step = s.count == 1 ? position - s.from : s.step;
  if (step < -1 || step > 1 || position != s.from + s.count * step) return false;
  s.step = step;
  ++s.count;
  return true;
}

Stretches stretches_along(const std::string& mode, const ops::PaddedAxis& axis) {
  Stretches stretches;
  for (int64_t i = 0; i < axis.size + axis.begin + axis.end; ++i) {
    const int64_t position = ops::padded_position(mode, i - axis.begin, axis);
    if (stretches.empty() || !goes_on(stretches.back(), position)) stretches.push_back({i, 1, position, 1});
  }
  return stretches;
}

std::vector<Stretches> stretches_of(const Node& node) {
  const Shape in = node.input(0)->type().shape(), out = node.output()->type().shape();
  const auto [begin, end] = pads_of(node, out.size());
  std::vector<Stretches> all;
  for (size_t i = 0; i < out.size(); ++i)
    all.push_back(stretches_along(node.attrs<ops::PadAttrs>().mode, {in[i], begin[i], end[i]}));
  return all;
}

Shape counts_of(const std::vector<Stretches>& stretches) {
  Shape counts;
  for (const Stretches& s : stretches) counts.push_back(static_cast<int64_t>(s.size()));
  return counts;
}

// Each combination of one stretch of every axis is a copy of a part of the input,
// which may run backwards or stand still.
void pad_with_copies(Lowering& l, const FusedRegion& region) {
  const View from = l.view_of(region.anchor->input(0)), out = l.allocate(region.anchor->output());
  const std::vector<Stretches> stretches = stretches_of(*region.anchor);
  for_each_index(counts_of(stretches), [&](const Shape& index) {
    View source = from, target = out;
    for (size_t i = 0; i < index.size(); ++i) {
      const Stretch& s = stretches[i][static_cast<size_t>(index[i])];
      source = sliced(source, static_cast<int64_t>(i), s.from, s.step, s.count);
      target = sliced(target, static_cast<int64_t>(i), s.start, 1, s.count);
    }
    lower_copy(l, region, source, target);
  });
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
  return node.attrs<ops::PadAttrs>().mode == "constant" ? ok() : Status(refuse("it copies parts of the input"));
}

// Only borders far wider than the input come to more.
Status few_copies(const Node& node) {
  constexpr int64_t kMostCopies = 256;
  if (element_count(counts_of(stretches_of(node))) <= kMostCopies) return ok();
  return refuse("the input is repeated more than " + std::to_string(kMostCopies) + " times around itself");
}

}  // namespace

OpLowerings copy_rows() {
  return {
      code_for(ops::Concat).copy(concat).follows(),
      code_for(ops::Pad)
          .copy(pad_with_constant, constant_mode)
          .copy(pad_with_copies, few_copies)
          .constants({1, 3})
          .follows(),
      code_for(ops::Tile).copy(tile).constants({1}),
      code_for(ops::DepthToSpace).copy(depth_space),
      code_for(ops::SpaceToDepth).copy(depth_space),
  };
}

}  // namespace lapis::codegen
