// Operators that move elements or change shapes.
#include <algorithm>
#include <numeric>

#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::ints;

constexpr int64_t kMostSteps = 1 << 14;  // of which positions are written out

// ---- shapes ---------------------------------------------------------------------------------------------------------

// One size that is computed is what the others leave over, where none is open already.
Result<Value*> wanted_shape(Translation& t, std::vector<Size> sizes) {
  const auto is_computed = [](const Size& s) { return s.computed != nullptr; };
  const bool has_open =
      std::any_of(sizes.begin(), sizes.end(), [](const Size& s) { return !s.computed && s.number < 1; });
  if (!has_open && std::count_if(sizes.begin(), sizes.end(), is_computed) == 1)
    *std::find_if(sizes.begin(), sizes.end(), is_computed) = {-1};
  return shape_of(t, sizes);
}

Result<Value*> reshaped(Translation& t, Value* x, std::vector<Size> sizes) {
  const bool has_zero =
      std::any_of(sizes.begin(), sizes.end(), [](const Size& s) { return !s.computed && s.number == 0; });
  LAPIS_TRY(Value * shape, wanted_shape(t, std::move(sizes)));
  return t.add(ops::Reshape, {x, shape}, ops::ReshapeAttrs{.allowzero = has_zero});
}

Status view(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (a.has("dtype")) return Translation::unsupported("bits that are read as another type");
  LAPIS_TRY(std::vector<Size> sizes, a.sizes(a.has("size") ? "size" : "shape"));
  LAPIS_CHECK(a.status());
  return finish(t, reshaped(t, x, std::move(sizes)));
}

Status view_as(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * other, a.tensor("other"));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {other}));
  return finish(t, t.add(ops::Reshape, {x, shape}));
}

// Sizes 0 copy where the axes before stand still; then one -1 is what is merged.
Status flatten(Translation& t) {
  Args a(t);
  const int64_t from = a.integer("start_dim", 0), to = a.integer("end_dim", -1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == 0) return finish(t, frontend::reshape(t, x, {1}));
  LAPIS_TRY(const int64_t first, frontend::axis_of(from, rank));
  LAPIS_TRY(const int64_t last, frontend::axis_of(to, rank));
  if (last == rank - 1 && first == 1) return finish(t, t.add(ops::Flatten, {x}, ops::FlattenAttrs{1}));
  if (last < first)
    return error(ErrorKind::Input, "flattens from axis " + std::to_string(first) + " to " + std::to_string(last));
  Shape shape(static_cast<size_t>(first), 0);
  shape.push_back(-1);
  for (int64_t axis = last + 1; axis < rank; ++axis) {
    const Dim& size = x->type().dim(axis);
    if (!size.is_constant()) return Translation::unsupported("axes of open size behind those that are merged");
    shape.push_back(size.value());
  }
  return finish(t, frontend::reshape(t, x, std::move(shape)));
}

Status unflatten(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_TRY(const std::vector<Size> sizes, a.sizes("sizes"));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(Value * all, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * before, frontend::slice(t, all, 0, 0, axis));
  LAPIS_TRY(Value * after, frontend::slice(t, all, 0, axis + 1, INT64_MAX));
  LAPIS_TRY(Value * parts, shape_of(t, sizes));
  LAPIS_TRY(Value * shape, t.add(ops::Concat, {before, parts, after}, ops::ConcatAttrs{0}));
  return finish(t, t.add(ops::Reshape, {x, shape}));
}

Status squeeze(Translation& t) {
  Args a(t);
  Axes axes = a.list("dim");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(axes, frontend::axes_of(axes, std::max<int64_t>(rank, 1)));
  if (!a.has("dim")) return finish(t, frontend::squeeze(t, x, {}));
  // Axes of another size stay as they are.
  std::erase_if(axes, [&](int64_t axis) {
    return rank == 0 || (x->type().dim(axis).is_constant() && !x->type().dim(axis).is(1));
  });
  return finish(t, axes.empty() ? Result<Value*>(x) : frontend::squeeze(t, x, std::move(axes)));
}

Status unsqueeze(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, frontend::unsqueeze(t, x, {dim}));
}

Status permute(Translation& t) {
  Args a(t);
  Axes perm = a.list("dims");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(perm, frontend::axes_of(perm, rank));
  return finish(t, t.add(ops::Transpose, {x}, ops::TransposeAttrs{perm}));
}

// A tensor without axes has one of size 1 for who names it.
Status transpose(Translation& t) {
  Args a(t);
  const bool are_axes = a.has("axis0");
  const int64_t first = a.integer(are_axes ? "axis0" : "dim0", 0), second = a.integer(are_axes ? "axis1" : "dim1", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == 0) {
    LAPIS_TRY([[maybe_unused]] const Axes both, frontend::axes_of({first, second}, 1));
    return frontend::result(t, 0, x);
  }
  return finish(t, frontend::swap_axes(t, x, first, second));
}

Status transposed_matrices(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, frontend::transpose_matrices(t, x));
}

// The axes the other way around: of a matrix, or of any tensor.
Status reversed_axes(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::Transpose, {x}));
}

Status movedim(Translation& t) {
  Args a(t);
  Axes from = a.list("source"), to = a.list("destination");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(from, frontend::axes_of(from, rank));
  LAPIS_TRY(to, frontend::axes_of(to, rank));
  if (from.size() != to.size()) return error(ErrorKind::Input, "moves not as many axes as it names places");
  Axes perm(static_cast<size_t>(rank), -1);
  for (size_t i = 0; i < from.size(); ++i) perm[static_cast<size_t>(to[i])] = from[i];
  int64_t next = 0;
  for (int64_t& axis : perm) {
    while (std::find(from.begin(), from.end(), next) != from.end()) ++next;
    if (axis < 0) axis = next++;
  }
  return finish(t, t.add(ops::Transpose, {x}, ops::TransposeAttrs{perm}));
}

// -1 leaves a size as it is, as 1 does where ONNX expands.
Status expand(Translation& t) {
  Args a(t);
  LAPIS_TRY(std::vector<Size> sizes, a.sizes("size"));
  LAPIS_CHECK(a.status());
  for (Size& size : sizes)
    if (!size.computed && size.number == -1) size.number = 1;
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * shape, shape_of(t, sizes));
  return finish(t, t.add(ops::Expand, {x, shape}));
}

Status expand_as(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * other, a.tensor("other"));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {other}));
  return finish(t, t.add(ops::Expand, {x, shape}));
}

Status repeat(Translation& t) {
  Args a(t);
  LAPIS_TRY(std::vector<Size> times, a.sizes(a.has("repeats") ? "repeats" : "dims"));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  Axes front;
  for (int64_t axis = 0; axis < static_cast<int64_t>(times.size()) - rank; ++axis) front.push_back(axis);
  if (!front.empty()) {
    LAPIS_TRY(x, frontend::unsqueeze(t, x, front));
  }
  for (auto i = static_cast<int64_t>(times.size()); i < rank; ++i) times.insert(times.begin(), Size{1});
  LAPIS_TRY(Value * shape, shape_of(t, times));
  return finish(t, t.add(ops::Tile, {x, shape}));
}

// ---- parts ----------------------------------------------------------------------------------------------------------

// A row of no elements, which may stand among tensors of any shape.
bool is_nothing(const Value* x) { return x->type().ranked() && x->type().rank() == 1 && x->type().dim(0).is(0); }

Status joined(Translation& t, bool stacks) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(std::vector<Value*> all, a.tensors("tensors"));
  if (all.empty() || std::count(all.begin(), all.end(), nullptr) > 0)
    return error(ErrorKind::Input, "has no tensors to join");
  DType type = all[0]->dtype();
  for (const Value* x : all) type = promoted(type, x->dtype());
  if (!stacks && !std::all_of(all.begin(), all.end(), is_nothing)) std::erase_if(all, is_nothing);
  for (Value*& x : all) {
    LAPIS_TRY(x, frontend::cast(t, x, type));
    if (stacks) {
      LAPIS_TRY(x, frontend::unsqueeze(t, x, {dim}));
    }
  }
  return finish(t, t.add(ops::Concat, all, ops::ConcatAttrs{dim}));
}
Status cat(Translation& t) { return joined(t, false); }
Status stack(Translation& t) { return joined(t, true); }

Status select(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_TRY(const Size index, a.size("index", 0));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  Value* at = index.computed ? index.computed : frontend::scalar(t, static_cast<double>(index.number), DType::Int64);
  return finish(t, t.add(ops::Gather, {x, at}, ops::AxisAttrs{dim}));
}

struct Range {
  Value *begin, *end, *step;
};

Result<Range> range(Translation& t, Args& a) {
  LAPIS_TRY(const Size begin, a.size("start", 0));
  LAPIS_TRY(const Size end, a.size("end", INT64_MAX));
  LAPIS_TRY(const Size step, a.size("step", 1));
  Range r{};
  LAPIS_TRY(r.begin, as_value(t, begin));
  LAPIS_TRY(r.end, as_value(t, end));
  LAPIS_TRY(r.step, as_value(t, step));
  return r;
}

Status slice(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_TRY(const Range r, range(t, a));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::Slice, {x, r.begin, r.end, ints(t, {dim}), r.step}));
}

Status narrow(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0), start = a.integer("start", 0), length = a.integer("length", 0);
  LAPIS_CHECK(a.status());
  LAPIS_CHECK(check_positions({start, length}));
  LAPIS_TRY(Value * x, self(a));
  const int64_t end = start + length == 0 ? INT64_MAX : start + length;
  return finish(t, frontend::slice(t, x, dim, start, end));
}

// The positions 0, 1, ... of an axis, int64[n].
Result<Value*> positions(Translation& t, Value* x, int64_t axis) {
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * size, t.add(ops::Gather, {sizes, frontend::scalar(t, static_cast<double>(axis), DType::Int64)}));
  return t.add(ops::Range, {frontend::scalar(t, 0, DType::Int64), size, frontend::scalar(t, 1, DType::Int64)});
}

// `x` with `from` at `at` (int64[n]) of an axis: a scatter whose indices are `at`, repeated over the other axes.
Result<Value*> with_part(Translation& t, Value* x, Value* from, Value* at, int64_t axis) {
  LAPIS_TRY(from, frontend::cast(t, from, x->dtype()));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = -1;
  LAPIS_TRY(Value * lined, frontend::reshape(t, at, shape));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {from}));
  LAPIS_TRY(Value * indices, t.add(ops::Expand, {lined, sizes}));
  return t.add(ops::ScatterElements, {x, indices, from}, ops::ScatterElementsAttrs{axis, "none"});
}

Status slice_scatter(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_TRY(const Range r, range(t, a));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * from, a.tensor("src"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(Value * all, positions(t, x, axis));
  LAPIS_TRY(Value * at, t.add(ops::Slice, {all, r.begin, r.end, ints(t, {0}), r.step}));
  return finish(t, with_part(t, x, from, at, axis));
}

Status select_scatter(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0), index = a.integer("index", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * from, a.tensor("src"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(from, frontend::unsqueeze(t, from, {axis}));
  return finish(t, with_part(t, x, from, ints(t, {index}), axis));
}

// ---- padding and order ----------------------------------------------------------------------------------------------

// Pairs from the last axis to the front.
Result<std::vector<Size>> onnx_pads(const std::vector<Size>& pairs, int64_t rank) {
  const auto axes = static_cast<int64_t>(pairs.size() / 2);
  if (pairs.size() % 2 != 0 || axes > rank)
    return error(ErrorKind::Input,
                 "has " + std::to_string(pairs.size()) + " paddings for " + std::to_string(rank) + " axes");
  std::vector<Size> pads(2 * static_cast<size_t>(rank), Size{0});
  for (int64_t i = 0; i < axes; ++i) {
    const auto axis = static_cast<size_t>(rank - 1 - i), at = static_cast<size_t>(2 * i);
    pads[axis] = pairs[at];
    pads[axis + static_cast<size_t>(rank)] = pairs[at + 1];
  }
  return pads;
}

Result<Value*> padded(Translation& t, Args& a, const std::string& mode) {
  LAPIS_TRY(const std::vector<Size> pairs, a.sizes(a.has("pad") ? "pad" : "padding"));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const std::vector<Size> pads, onnx_pads(pairs, rank));
  LAPIS_TRY(Value * computed, shape_of(t, pads));
  std::vector<Value*> inputs = {x, computed};
  if (a.number("value", 0) != 0) {
    LAPIS_TRY(inputs.emplace_back(), a.number_or_tensor("value", x->dtype()));
  }
  LAPIS_CHECK(a.status());
  return t.add(ops::Pad, inputs, ops::PadAttrs{mode});
}

Status pad(Translation& t) {
  struct Row {
    std::string_view torch, onnx;
  };
  constexpr Row kModes[] = {
      {"constant", "constant"}, {"reflect", "reflect"}, {"replicate", "edge"}, {"circular", "wrap"}};
  Args a(t);
  const std::string mode = a.word("mode", "constant");
  for (const Row& row : kModes)
    if (row.torch == mode) return finish(t, padded(t, a, std::string(row.onnx)));
  return Translation::unsupported("the mode '" + mode + "'");
}

Status constant_pad(Translation& t) {
  Args a(t);
  return finish(t, padded(t, a, "constant"));
}
Status reflection_pad(Translation& t) {
  Args a(t);
  return finish(t, padded(t, a, "reflect"));
}
Status replication_pad(Translation& t) {
  Args a(t);
  return finish(t, padded(t, a, "edge"));
}

// Of an axis of open size: what comes to place i was at i - shift, in the range of the axis.
Result<Value*> rolled_open(Translation& t, Value* x, int64_t shift, int64_t axis) {
  LAPIS_TRY(Value * all, positions(t, x, axis));
  LAPIS_TRY(Value * size, t.add(ops::Size, {all}));
  LAPIS_TRY(Value * before, t.add(ops::Sub, {all, ints(t, {shift})}));
  LAPIS_TRY(Value * at, t.add(ops::Mod, {before, size}));
  return t.add(ops::Gather, {x, at}, ops::AxisAttrs{axis});
}

// Element i comes to i + shift, around the end.
Result<Value*> rolled(Translation& t, Value* x, int64_t shift, int64_t dim) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_CHECK(check_positions({shift}));
  const Dim& size = x->type().dim(axis);
  if (!size.is_constant()) return rolled_open(t, x, shift, axis);
  if (size.value() == 0 || shift % size.value() == 0) return x;
  LAPIS_TRY(Value * behind, frontend::slice(t, x, axis, -(shift % size.value()), INT64_MAX));
  LAPIS_TRY(Value * before, frontend::slice(t, x, axis, 0, -(shift % size.value())));
  return t.add(ops::Concat, {behind, before}, ops::ConcatAttrs{axis});
}

// Without axes all elements are one row.
Status roll(Translation& t) {
  Args a(t);
  const std::vector<int64_t> shifts = a.list("shifts"), dims = a.list("dims");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (dims.empty() && shifts.size() == 1) {
    LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
    LAPIS_TRY(Value * row, frontend::reshape(t, x, {-1}));
    LAPIS_TRY(row, rolled(t, row, shifts[0], 0));
    return finish(t, t.add(ops::Reshape, {row, shape}));
  }
  if (shifts.size() != dims.size()) return error(ErrorKind::Input, "has not as many shifts as axes");
  for (size_t i = 0; i < dims.size(); ++i) {
    LAPIS_TRY(x, rolled(t, x, shifts[i], dims[i]));
  }
  return finish(t, x);
}

Status pixel_shuffle(Translation& t) {
  Args a(t);
  const int64_t factor = a.integer("upscale_factor", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::DepthToSpace, {x}, ops::DepthToSpaceAttrs{factor, "CRD"}));
}

// Channels in groups, one of each group in turn.
Status channel_shuffle(Translation& t) {
  Args a(t);
  const int64_t groups = a.integer("groups", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (!x->type().ranked() || x->type().rank() != 4 || !x->type().dim(1).is_constant() || groups < 1)
    return Translation::unsupported("channels of open number");
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * apart, frontend::reshape(t, x, {0, groups, x->type().dim(1).value() / groups, -1}));
  LAPIS_TRY(Value * turned, frontend::transpose(t, apart, {0, 2, 1, 3}));
  return finish(t, t.add(ops::Reshape, {turned, shape}));
}

// Blocks of pixels as channels, a channel after the other.
Status pixel_unshuffle(Translation& t) {
  Args a(t);
  const int64_t factor = a.integer("downscale_factor", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (!x->type().is_static() || x->type().rank() != 4)
    return Translation::unsupported("other than images of known size");
  const Shape size = x->type().shape();
  if (factor < 1 || factor > kMostSteps || size[2] % factor != 0 || size[3] % factor != 0)
    return error(ErrorKind::Input, "has blocks of " + std::to_string(factor) + " that do not fill the image");
  const int64_t height = size[2] / factor, width = size[3] / factor;
  LAPIS_TRY(Value * apart, frontend::reshape(t, x, {size[0], size[1], height, factor, width, factor}));
  LAPIS_TRY(Value * turned, frontend::transpose(t, apart, {0, 1, 3, 5, 2, 4}));
  return finish(t, frontend::reshape(t, turned, {size[0], size[1] * factor * factor, height, width}));
}

// Windows of an axis in a new last axis, `step` apart.
Status unfold(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dimension", 0), size = a.integer("size", 1), step = a.integer("step", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& whole = x->type().dim(axis);
  if (!whole.is_constant() || whole.value() > kMostSteps)
    return Translation::unsupported("an axis of open or great size");
  if (size < 1 || step < 1 || size > whole.value())
    return error(ErrorKind::Input, "has windows that its axis does not hold");
  const int64_t count = (whole.value() - size) / step + 1;
  std::vector<int64_t> at;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < size; ++k) at.push_back(i * step + k);
  Value* index = t.constant(Tensor::vector(std::move(at)).reshaped({count, size}));
  LAPIS_TRY(Value * windows, t.add(ops::Gather, {x, index}, ops::AxisAttrs{axis}));
  Axes perm;
  for (int64_t i = 0; i <= rank; ++i)
    if (i != axis + 1) perm.push_back(i);
  perm.push_back(axis + 1);
  return finish(t, frontend::transpose(t, windows, perm));
}

template <bool Upper> Status triangle(Translation& t) {
  Args a(t);
  const int64_t diagonal = a.integer("diagonal", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::Trilu, {x, frontend::scalar(t, static_cast<double>(diagonal), DType::Int64)},
                         ops::TriluAttrs{Upper}));
}

// Each element `repeats` times, one after the other.
Status repeat_interleave(Translation& t) {
  Args a(t);
  const int64_t times = a.integer("repeats", 1), dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (!a.has("dim")) {
    LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  }
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& size = x->type().dim(axis);
  LAPIS_CHECK(check_positions({times}));
  if (!size.is_constant() || times < 1 || size.value() > kMaxTensorBytes / times)
    return Translation::unsupported("an axis of open size");
  LAPIS_TRY(Value * apart, frontend::unsqueeze(t, x, {axis + 1}));
  Shape tiles(static_cast<size_t>(rank) + 1, 1), shape(static_cast<size_t>(axis), 0);
  tiles[static_cast<size_t>(axis) + 1] = times;
  LAPIS_TRY(Value * tiled, t.add(ops::Tile, {apart, ints(t, tiles)}));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * before, frontend::slice(t, sizes, 0, 0, axis));
  LAPIS_TRY(Value * after, frontend::slice(t, sizes, 0, axis + 1, INT64_MAX));
  LAPIS_TRY(Value * wanted, t.add(ops::Concat, {before, ints(t, {size.value() * times}), after}, ops::ConcatAttrs{0}));
  return finish(t, t.add(ops::Reshape, {tiled, wanted}));
}

constexpr AtenRow kRows[] = {
    {"aten._reshape_copy", "self size", view},
    {"aten._unsafe_view", "self size", view},
    {"aten.broadcast_to", "self size", expand},
    {"aten.cat", "tensors dim", cat},
    {"aten.channel_shuffle", "self groups", channel_shuffle},
    {"aten.concat", "tensors dim", cat},
    {"aten.constant_pad_nd", "self pad value", constant_pad},
    {"aten.expand", "self size *implicit", expand},
    {"aten.expand_as", "self other", expand_as},
    {"aten.flatten", "self start_dim end_dim", flatten},
    {"aten.mT", "self", transposed_matrices},
    {"aten.moveaxis", "self source destination", movedim},
    {"aten.movedim", "self source destination", movedim},
    {"aten.narrow", "self dim start length", narrow},
    {"aten.numpy_T", "self", reversed_axes},
    {"aten.pad", "self pad mode value", pad},
    {"aten.permute", "self dims", permute},
    {"aten.pixel_unshuffle", "self downscale_factor", pixel_unshuffle},
    {"aten.pixel_shuffle", "self upscale_factor", pixel_shuffle},
    {"aten.ravel", "self", flatten},
    {"aten.reflection_pad1d", "self padding", reflection_pad},
    {"aten.reflection_pad2d", "self padding", reflection_pad},
    {"aten.reflection_pad3d", "self padding", reflection_pad},
    {"aten.repeat", "self repeats", repeat},
    {"aten.repeat_interleave", "self repeats dim *output_size", repeat_interleave},
    {"aten.replication_pad1d", "self padding", replication_pad},
    {"aten.replication_pad2d", "self padding", replication_pad},
    {"aten.replication_pad3d", "self padding", replication_pad},
    {"aten.reshape", "self shape", view},
    {"aten.reshape_as", "self other", view_as},
    {"aten.roll", "self shifts dims", roll},
    {"aten.select", "self dim index", select},
    {"aten.select_scatter", "self src dim index", select_scatter},
    {"aten.slice", "self dim start end step", slice},
    {"aten.slice_scatter", "self src dim start end step", slice_scatter},
    {"aten.squeeze", "self dim", squeeze},
    {"aten.stack", "tensors dim", stack},
    {"aten.swapaxes", "self axis0 axis1", transpose},
    {"aten.swapdims", "self dim0 dim1", transpose},
    {"aten.t", "self", reversed_axes},
    {"aten.tile", "self dims", repeat},
    {"aten.transpose", "self dim0 dim1", transpose},
    {"aten.tril", "self diagonal", triangle<false>},
    {"aten.triu", "self diagonal", triangle<true>},
    {"aten.unflatten", "self dim sizes", unflatten},
    {"aten.unfold", "self dimension size step", unfold},
    {"aten.unsqueeze", "self dim", unsqueeze},
    {"aten.view", "self size", view},
    {"aten.view_as", "self other", view_as},
};

}  // namespace

std::span<const AtenRow> shape_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
