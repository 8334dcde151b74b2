// Operators that take values apart and put them together.
#include <algorithm>
#include <numeric>

#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

constexpr int64_t kFirst = INT64_MIN, kLast = INT64_MAX;

int64_t placed(Layout layout, int64_t axis, int64_t rank) {
  return frontend::axis_in(layout, axis, static_cast<size_t>(rank));
}

// The number of an axis of operand `of`, as operand `i` says.
Result<int64_t> axis_operand(const Translation& t, size_t i, size_t of) {
  LAPIS_TRY(const int64_t rank, rank_of(t, of));
  LAPIS_TRY(const int64_t axis, number(t, i, "axes"));
  return axis_of(axis, rank);
}

// ---- taking apart ---------------------------------------------------------------------------------------------------

Status check_parts(const Translation& t, int64_t parts) {
  constexpr int64_t kMost = 1 << 16;
  if (parts >= 1 && parts <= kMost && t.output_count() <= static_cast<size_t>(parts)) return ok();
  return error(ErrorKind::Input, "takes its data apart into " + std::to_string(parts) + ", of which the model reads " +
                                     std::to_string(t.output_count()));
}

Status split_of(Translation& t, size_t data, size_t axis_at, int64_t parts, Value* sizes) {
  LAPIS_CHECK(check_parts(t, parts));
  LAPIS_TRY(const int64_t rank, rank_of(t, data));
  LAPIS_TRY(const int64_t axis, axis_operand(t, axis_at, data));
  const Layout layout = frontend::plain_layout(t, data);
  LAPIS_TRY(Value * x, t.real(data, layout));
  ops::SplitAttrs attributes;
  attributes.axis = placed(layout, axis, rank);
  std::vector<Value*> inputs = {x};
  if (sizes)
    inputs.push_back(sizes);
  else
    attributes.num_outputs = parts;
  LAPIS_TRY(const std::vector<Value*> made,
            t.add_all(ops::Split, inputs, encode_attributes(attributes), static_cast<size_t>(parts)));
  for (size_t i = 0; i < t.output_count(); ++i) LAPIS_CHECK(t.set(i, made[i], layout));
  return ok();
}

// ---- StridedSlice ---------------------------------------------------------------------------------------------------

// Number i of an operand with one for each axis, as a vector of one.
Result<Value*> element(Translation& t, size_t operand, int64_t i) {
  if (const auto known = t.contents(operand); known && (*known)[static_cast<size_t>(i)].is_constant())
    return ints(t, {(*known)[static_cast<size_t>(i)].value()});
  LAPIS_TRY(Value * all, as_int64(t, operand));
  return t.add(ops::Slice, {all, ints(t, {i}), ints(t, {i + 1}), ints(t, {0})});
}

struct Masks {
  int64_t begin, end, ellipsis, new_axis, shrink;
  static bool has(int64_t mask, size_t i) { return i < 63 && ((mask >> i) & 1) != 0; }
};

// What a StridedSlice does to the axes of its data, by number.
struct Plan {
  std::vector<Value*> begins, ends;
  std::vector<int64_t> axes, strides;
  std::vector<std::pair<int64_t, Value*>> picked;  // axes of which one position is left
  std::vector<int64_t> added;                      // axes of the result
};

class Slicing {
 public:
  Slicing(Translation& t, int64_t rank, const Masks& masks) : t_(t), rank_(rank), masks_(masks) {}

  Result<Plan> plan() {
    LAPIS_TRY(const std::vector<int64_t> strides, numbers(t_, 3, "strides"));
    const size_t specs = strides.size();
    size_t consumed = 0;
    for (size_t i = 0; i < specs; ++i) consumed += !Masks::has(masks_.new_axis, i) && !Masks::has(masks_.ellipsis, i);
    if (static_cast<int64_t>(consumed) > rank_)
      return error(ErrorKind::Input, "slices " + std::to_string(consumed) + " axes of " + std::to_string(rank_));
    for (const size_t operand : {1, 2})
      if (const auto known = t_.contents(operand); known && known->size() != specs)
        return error(ErrorKind::Input, "its begin, end and strides differ in length");
    for (size_t i = 0; i < specs; ++i) LAPIS_CHECK(add(i, strides[i], rank_ - static_cast<int64_t>(consumed)));
    return std::move(plan_);
  }

 private:
  Status add(size_t i, int64_t stride, int64_t left_out) {
    if (Masks::has(masks_.ellipsis, i)) {
      axis_ += left_out;
      result_axis_ += left_out;
      return ok();
    }
    if (Masks::has(masks_.new_axis, i)) {
      plan_.added.push_back(result_axis_++);
      return ok();
    }
    const int64_t axis = axis_++;
    if (Masks::has(masks_.shrink, i)) {
      LAPIS_TRY(Value * at, element(t_, 1, static_cast<int64_t>(i)));
      LAPIS_TRY(at, t_.add(ops::Squeeze, {at, ints(t_, {0})}));
      plan_.picked.emplace_back(axis, at);
      return ok();
    }
    ++result_axis_;
    if (stride == 0) return error(ErrorKind::Input, "has a stride of 0");
    const bool whole = Masks::has(masks_.begin, i) && Masks::has(masks_.end, i) && stride == 1;
    return whole ? ok() : cut(i, axis, stride);
  }

  Status cut(size_t i, int64_t axis, int64_t stride) {
    const auto at = static_cast<int64_t>(i);
    const bool forward = stride > 0;
    LAPIS_TRY(Value * begin,
              Masks::has(masks_.begin, i) ? Result<Value*>(ints(t_, {forward ? 0 : kLast})) : element(t_, 1, at));
    LAPIS_TRY(Value * end,
              Masks::has(masks_.end, i) ? Result<Value*>(ints(t_, {forward ? kLast : kFirst})) : element(t_, 2, at));
    plan_.begins.push_back(begin);
    plan_.ends.push_back(end);
    plan_.axes.push_back(axis);
    plan_.strides.push_back(stride);
    return ok();
  }

  Translation& t_;
  const int64_t rank_;
  const Masks& masks_;
  Plan plan_;
  int64_t axis_ = 0, result_axis_ = 0;
};

Result<Value*> joined(Translation& t, const std::vector<Value*>& parts) {
  if (parts.size() == 1) return parts[0];
  return t.add(ops::Concat, parts, ops::ConcatAttrs{.axis = 0});
}

Result<Value*> cut(Translation& t, Value* x, const Plan& plan, Layout layout, int64_t rank) {
  if (plan.axes.empty()) return x;
  LAPIS_TRY(Value * begins, joined(t, plan.begins));
  LAPIS_TRY(Value * ends, joined(t, plan.ends));
  std::vector<int64_t> axes = plan.axes;
  for (int64_t& axis : axes) axis = placed(layout, axis, rank);
  return t.add(ops::Slice, {x, begins, ends, ints(t, std::move(axes)), ints(t, plan.strides)});
}

// From the last axis on, so that the others keep their numbers.
Result<Value*> picked(Translation& t, Value* x, const Plan& plan) {
  for (auto axis = plan.picked.rbegin(); axis != plan.picked.rend(); ++axis) {
    LAPIS_TRY(x, t.add(ops::Gather, {x, axis->second}, ops::AxisAttrs{.axis = axis->first}));
  }
  if (plan.added.empty()) return x;
  return t.add(ops::Unsqueeze, {x, ints(t, plan.added)});
}

Result<Value*> own(Translation& t, Value* y, const Value* x) {
  return y == x ? t.add(ops::Identity, {y}) : Result<Value*>(y);
}

// ---- padding --------------------------------------------------------------------------------------------------------

// Two numbers for each axis, as written.
Result<std::vector<int64_t>> paddings(const Translation& t, int64_t rank) {
  LAPIS_TRY(std::vector<int64_t> written, numbers(t, 1, "paddings"));
  if (static_cast<int64_t>(written.size()) == 2 * rank &&
      std::ranges::none_of(written, [](int64_t p) { return p < 0; }))
    return written;
  return error(ErrorKind::Input,
               "its paddings are not two numbers from 0 on for each of " + std::to_string(rank) + " axes");
}

Status padded(Translation& t, const std::string& mode) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(const std::vector<int64_t> written, paddings(t, rank));
  const Layout layout = frontend::plain_layout(t);
  std::vector<int64_t> pads(written.size());
  for (int64_t axis = 0; axis < rank; ++axis) {
    const auto to = static_cast<size_t>(placed(layout, axis, rank));
    pads[to] = written[static_cast<size_t>(2 * axis)];
    pads[static_cast<size_t>(rank) + to] = written[static_cast<size_t>(2 * axis + 1)];
  }
  LAPIS_TRY(Value * x, t.real(0, layout));
  std::vector<Value*> inputs = {x, ints(t, std::move(pads))};
  if (t.has(2)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(2, Layout::AsWritten));
  }
  LAPIS_TRY(Value * y, t.add(ops::Pad, inputs, ops::PadAttrs{.mode = mode}));
  return t.set(0, y, layout);
}

// Mirrors that repeat the edge: c b a | a b c | c b a; ONNX has only those that do not.
Result<Value*> mirrored(Translation& t, Value* x, int64_t axis, int64_t before, int64_t behind) {
  const Dim& extent = x->type().dim(axis);
  if (!extent.is_constant()) return Translation::unsupported("mirrors that repeat an edge of open size");
  const int64_t size = extent.value();
  constexpr int64_t kMost = int64_t{1} << 24;
  if (size > kMost) return Translation::unsupported("mirrors of an axis of this size");
  if (before > size || behind > size) return error(ErrorKind::Input, "mirrors more than there is");
  std::vector<int64_t> positions(static_cast<size_t>(before + size + behind));
  for (int64_t i = 0; i < before + size + behind; ++i) {
    const int64_t at = i - before;
    positions[static_cast<size_t>(i)] = at < 0 ? -1 - at : at < size ? at : 2 * size - 1 - at;
  }
  return t.add(ops::Gather, {x, ints(t, std::move(positions))}, ops::AxisAttrs{.axis = axis});
}

Status padded_with_edges(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(const std::vector<int64_t> written, paddings(t, rank));
  const Layout layout = frontend::plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  Value* y = x;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const int64_t before = written[static_cast<size_t>(2 * axis)], behind = written[static_cast<size_t>(2 * axis + 1)];
    if (before == 0 && behind == 0) continue;
    LAPIS_TRY(y, mirrored(t, y, placed(layout, axis, rank), before, behind));
  }
  LAPIS_TRY(y, own(t, y, x));
  return t.set(0, y, layout);
}

// ---- blocks ---------------------------------------------------------------------------------------------------------

template <class Attrs> Status blocks(Translation& t, const OpDef& op) {
  const Layout layout = has_channels_first(t) ? Layout::AsWritten : Layout::ChannelsFirst;
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, t.add(op, {x}, Attrs{.blocksize = t.get<int64_t>("block_size", 0)}));
  return t.set(0, y, layout);
}

// The sizes of blocks of pixels, and two numbers for each: padding, or what is cropped.
struct Blocks {
  std::vector<int64_t> sizes, edges;
};
Result<Blocks> blocks_of(const Translation& t, const char* edges) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  Blocks b;
  LAPIS_TRY(b.sizes, numbers(t, 1, "block sizes"));
  LAPIS_TRY(b.edges, numbers(t, 2, edges));
  constexpr int64_t kMost = 1 << 20;
  const auto wrong = [](int64_t low) { return [low](int64_t v) { return v < low || v > kMost; }; };
  if (b.edges.size() != 2 * b.sizes.size() || std::ranges::any_of(b.sizes, wrong(1)) ||
      std::ranges::any_of(b.edges, wrong(0)))
    return error(ErrorKind::Input, std::string("its blocks and ") + edges + " do not fit each other");
  if (static_cast<int64_t>(b.sizes.size()) != rank - 2)
    return Translation::unsupported("blocks of other axes than those of pixels");
  for (int64_t axis = 1; axis < rank; ++axis)
    if (!t.input(0).type.dim(axis).is_constant()) return Translation::unsupported("blocks of an image of open size");
  return b;
}

}  // namespace

Status concat_of(Translation& t, size_t begin, size_t end, int64_t axis) {
  if (begin >= end) return error(ErrorKind::Input, "joins nothing");
  LAPIS_TRY(const int64_t rank, rank_of(t, begin));
  LAPIS_TRY(axis, axis_of(axis, rank));
  Layout layout = Layout::AsWritten;
  for (size_t i = begin; i < end; ++i)
    if (t.layout(i) == Layout::ChannelsFirst) layout = Layout::ChannelsFirst;
  std::vector<Value*> parts;
  for (size_t i = begin; i < end; ++i) {
    const bool turns = layout == Layout::ChannelsFirst && t.input(i).constant.defined();
    LAPIS_TRY(parts.emplace_back(),
              turns ? t.parameter(i, frontend::to_channels_first(static_cast<size_t>(rank))) : t.real(i, layout));
  }
  LAPIS_TRY(Value * y, t.add(ops::Concat, parts, ops::ConcatAttrs{.axis = placed(layout, axis, rank)}));
  return t.set(0, y, layout);
}

Status concat(Translation& t) {
  LAPIS_TRY(const int64_t axis, axis_operand(t, 0, 1));
  return concat_of(t, 1, t.input_count(), axis);
}

Status concat_v2(Translation& t) {
  const size_t last = t.input_count() - 1;
  LAPIS_TRY(const int64_t axis, axis_operand(t, last, 0));
  return concat_of(t, 0, last, axis);
}

Status pack(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(const int64_t axis, axis_of(t.get<int64_t>("axis", 0), rank + 1));
  std::vector<Value*> parts;
  for (size_t i = 0; i < t.input_count(); ++i) {
    LAPIS_TRY(Value * x, t.real(i, Layout::AsWritten));
    LAPIS_TRY(parts.emplace_back(), t.add(ops::Unsqueeze, {x, ints(t, {axis})}));
  }
  LAPIS_TRY(Value * y, t.add(ops::Concat, parts, ops::ConcatAttrs{.axis = axis}));
  return t.set(0, y, Layout::AsWritten);
}

Status unpack(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(const int64_t axis, axis_of(t.get<int64_t>("axis", 0), rank));
  const auto parts = t.get<int64_t>("num", 0);
  LAPIS_CHECK(check_parts(t, parts));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  for (size_t i = 0; i < t.output_count(); ++i) {
    const Tensor at = Tensor::scalar(static_cast<int64_t>(i));
    LAPIS_TRY(Value * part, t.add(ops::Gather, {x, t.constant(at)}, ops::AxisAttrs{.axis = axis}));
    LAPIS_CHECK(t.set(i, part, Layout::AsWritten));
  }
  return ok();
}

Status split(Translation& t) {
  const auto parts = t.get<int64_t>("num_split", 0);
  return split_of(t, 1, 0, parts, nullptr);
}

Status split_v(Translation& t) {
  LAPIS_TRY(std::vector<int64_t> sizes, numbers(t, 1, "sizes of parts"));
  LAPIS_TRY(const int64_t axis, axis_operand(t, 2, 0));
  const auto open = std::ranges::find(sizes, -1);
  if (open != sizes.end()) {
    const Dim& whole = t.input(0).type.dim(axis);
    if (!whole.is_constant()) return Translation::unsupported("a part of open size");
    *open = whole.value() - std::accumulate(sizes.begin(), sizes.end(), int64_t{1});
  }
  const auto parts = static_cast<int64_t>(sizes.size());
  return split_of(t, 0, 2, parts, ints(t, std::move(sizes)));
}

Status strided_slice(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  const auto mask = [&](const char* name) { return t.get<int64_t>(name, 0); };
  const Masks masks{mask("begin_mask"), mask("end_mask"), mask("ellipsis_mask"), mask("new_axis_mask"),
                    mask("shrink_axis_mask")};
  LAPIS_TRY(const Plan plan, Slicing(t, rank, masks).plan());
  const Layout layout = plan.picked.empty() && plan.added.empty() ? frontend::plain_layout(t) : Layout::AsWritten;
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, cut(t, x, plan, layout, rank));
  LAPIS_TRY(y, picked(t, y, plan));
  LAPIS_TRY(y, own(t, y, x));
  return t.set(0, y, layout);
}

// `size` -1: all that is left.
Status slice(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  Plan plan;
  for (int64_t axis = 0; axis < rank; ++axis) {
    for (const size_t operand : {1, 2})
      if (const auto known = t.contents(operand); known && static_cast<int64_t>(known->size()) != rank)
        return error(ErrorKind::Input, "its begin and size are not one number for each axis");
    LAPIS_TRY(Value * begin, element(t, 1, axis));
    LAPIS_TRY(Value * size, element(t, 2, axis));
    LAPIS_TRY(Value * end, t.add(ops::Add, {begin, size}));
    LAPIS_TRY(Value * to_end, t.add(ops::Less, {size, ints(t, {0})}));
    LAPIS_TRY(end, t.add(ops::Where, {to_end, ints(t, {kLast}), end}));
    plan.begins.push_back(begin);
    plan.ends.push_back(end);
    plan.axes.push_back(axis);
    plan.strides.push_back(1);
  }
  const Layout layout = frontend::plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, cut(t, x, plan, layout, rank));
  LAPIS_TRY(y, own(t, y, x));
  return t.set(0, y, layout);
}

Status gather(Translation& t) {
  if (!t.has(2)) return gather_of(t, 0);
  LAPIS_TRY(const int64_t axis, axis_operand(t, 2, 0));
  return gather_of(t, axis);
}

Status gather_of(Translation& t, int64_t axis) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(axis, axis_of(axis, rank));
  const auto batch = t.get<int64_t>("batch_dims", 0);
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * at, as_int64(t, 1));
  if (batch != 0) {
    if (batch != axis) return Translation::unsupported("batch_dims that are not the axis");
    LAPIS_TRY(at, t.add(ops::Unsqueeze, {at, ints(t, {-1})}));
    LAPIS_TRY(Value * y, t.add(ops::GatherND, {x, at}, ops::GatherNDAttrs{.batch_dims = batch}));
    return t.set(0, y, Layout::AsWritten);
  }
  LAPIS_TRY(Value * y, t.add(ops::Gather, {x, at}, ops::AxisAttrs{.axis = axis}));
  return t.set(0, y, Layout::AsWritten);
}

Status gather_nd(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * at, as_int64(t, 1));
  LAPIS_TRY(Value * y, t.add(ops::GatherND, {x, at}, ops::GatherNDAttrs{}));
  return t.set(0, y, Layout::AsWritten);
}

// What is set twice is added.
Status scatter_nd(Translation& t) {
  LAPIS_TRY(Value * at, as_int64(t, 0));
  LAPIS_TRY(Value * updates, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * sizes, as_int64(t, 2));
  LAPIS_TRY(Value * zero, frontend::scalar_like(t, 0, updates));
  LAPIS_TRY(Value * zeros, t.add(ops::Expand, {zero, sizes}));
  LAPIS_TRY(Value * y, t.add(ops::ScatterND, {zeros, at, updates}, ops::ScatterNDAttrs{.reduction = "add"}));
  return t.set(0, y, Layout::AsWritten);
}

// Indices beyond the depth mean no position at all, while ONNX counts negative ones from the end.
Status one_hot(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(const int64_t depth, number(t, 1, "depths"));
  constexpr int64_t kMost = 1 << 24;
  if (depth < 0 || depth > kMost) return error(ErrorKind::Input, "has a depth of " + std::to_string(depth));
  LAPIS_TRY(const int64_t axis, axis_of(t.get<int64_t>("axis", -1), rank + 1));
  LAPIS_TRY(Value * at, as_int64(t, 0));
  LAPIS_TRY(at, t.add(ops::Unsqueeze, {at, ints(t, {axis})}));
  Shape shape(static_cast<size_t>(rank + 1 - axis), 1);
  shape[0] = depth;
  std::vector<int64_t> positions(static_cast<size_t>(depth));
  std::iota(positions.begin(), positions.end(), 0);
  LAPIS_TRY(Value * hot, t.add(ops::Equal, {at, t.constant(Tensor::of(shape, std::move(positions)))}));
  LAPIS_TRY(Value * on, t.real(2, Layout::AsWritten));
  LAPIS_TRY(Value * off, t.real(3, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Where, {hot, on, off}));
  return t.set(0, y, Layout::AsWritten);
}

Status pad(Translation& t) { return padded(t, "constant"); }
Status mirror_pad(Translation& t) { return mirror_pad_of(t, t.get<std::string>("mode", "") == "SYMMETRIC"); }
Status mirror_pad_of(Translation& t, bool repeats_edge) {
  return repeats_edge ? padded_with_edges(t) : padded(t, "reflect");
}

Status tile(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * repeats, as_int64(t, 1));
  LAPIS_TRY(Value * y, t.add(ops::Tile, {x, repeats}));
  return t.set(0, y, Layout::AsWritten);
}

Status reverse(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(std::vector<int64_t> axes, numbers(t, 1, "axes"));
  const Layout layout = frontend::plain_layout(t);
  for (int64_t& axis : axes) {
    LAPIS_TRY(axis, axis_of(axis, rank));
    axis = placed(layout, axis, rank);
  }
  const auto all = [&](int64_t value) { return ints(t, std::vector<int64_t>(axes.size(), value)); };
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, t.add(ops::Slice, {x, all(kLast), all(kFirst), ints(t, axes), all(-1)}));
  return t.set(0, y, layout);
}

Status depth_to_space(Translation& t) { return blocks<ops::DepthToSpaceAttrs>(t, ops::DepthToSpace); }
Status space_to_depth(Translation& t) { return blocks<ops::SpaceToDepthAttrs>(t, ops::SpaceToDepth); }

// [N, C, H * a, W * b] to [a * b * N, C, H, W].
Status space_to_batch(Translation& t) {
  LAPIS_TRY(const Blocks b, blocks_of(t, "paddings"));
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  const auto pixels = static_cast<int64_t>(b.sizes.size());
  std::vector<int64_t> pads(static_cast<size_t>(2 * (pixels + 2)), 0), apart = {-1, x->type().dim(1).value()};
  std::vector<int64_t> together = apart, front, back = {0, 1};
  for (int64_t i = 0; i < pixels; ++i) {
    const auto at = static_cast<size_t>(i);
    pads[at + 2] = b.edges[2 * at];
    pads[static_cast<size_t>(pixels) + at + 4] = b.edges[2 * at + 1];
    const int64_t size = x->type().dim(i + 2).value() + b.edges[2 * at] + b.edges[2 * at + 1];
    if (size % b.sizes[at] != 0) return error(ErrorKind::Input, "its blocks do not fit its image");
    apart.insert(apart.end(), {size / b.sizes[at], b.sizes[at]});
    together.push_back(size / b.sizes[at]);
    back.push_back(2 + 2 * i);
    front.push_back(3 + 2 * i);
  }
  front.insert(front.end(), back.begin(), back.end());
  LAPIS_TRY(Value * padded, t.add(ops::Pad, {x, ints(t, std::move(pads))}));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {padded, ints(t, std::move(apart))}));
  LAPIS_TRY(y, t.add(ops::Transpose, {y}, ops::TransposeAttrs{front}));
  LAPIS_TRY(y, t.add(ops::Reshape, {y, ints(t, std::move(together))}));
  return t.set(0, y, Layout::ChannelsFirst);
}

// The way back: [a * b * N, C, H, W] to [N, C, H * a, W * b], less what is cropped.
Status batch_to_space(Translation& t) {
  LAPIS_TRY(const Blocks b, blocks_of(t, "crops"));
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  const auto pixels = static_cast<int64_t>(b.sizes.size());
  std::vector<int64_t> apart = b.sizes, together = {-1, x->type().dim(1).value()}, order = {pixels, pixels + 1};
  apart.insert(apart.end(), together.begin(), together.end());
  std::vector<int64_t> begins, ends, axes;
  for (int64_t i = 0; i < pixels; ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t size = x->type().dim(i + 2).value();
    apart.push_back(size);
    together.push_back(size * b.sizes[at]);
    order.insert(order.end(), {pixels + 2 + i, i});
    begins.push_back(b.edges[2 * at]);
    ends.push_back(size * b.sizes[at] - b.edges[2 * at + 1]);
    axes.push_back(i + 2);
  }
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, ints(t, std::move(apart))}));
  LAPIS_TRY(y, t.add(ops::Transpose, {y}, ops::TransposeAttrs{order}));
  LAPIS_TRY(y, t.add(ops::Reshape, {y, ints(t, std::move(together))}));
  LAPIS_TRY(y, t.add(ops::Slice, {y, ints(t, std::move(begins)), ints(t, std::move(ends)), ints(t, std::move(axes))}));
  return t.set(0, y, Layout::ChannelsFirst);
}

}  // namespace lapis::tensorflow_frontend
