// Operators that move elements or change shapes.
#include <algorithm>

#include "frontends/mxnet/literal.h"
#include "frontends/mxnet/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::mxnet_frontend {
namespace {

// ---- Reshape --------------------------------------------------------------------------------------------------------

// The codes of Reshape's shape beside sizes.
enum Code : int64_t { Copy = 0, Infer = -1, CopyRest = -2, Merge = -3, Split = -4 };

bool is_plain(const std::vector<int64_t>& shape) {
  return std::all_of(shape.begin(), shape.end(), [](int64_t code) { return code >= Infer; });
}

// What the codes make of the sizes of the operand; unknown where a size is to be inferred.
class ShapeCodes {
 public:
  ShapeCodes(const Dims& from, const std::vector<int64_t>& codes) : from_(from), codes_(codes) {}

  Result<Dims> run() {
    while (at_ < codes_.size()) LAPIS_CHECK(apply(codes_[at_++]));
    return result_;
  }

 private:
  Status apply(int64_t code) {
    switch (code) {
      case Infer: return take(1, Dim::unknown());
      case Copy: return source_ < from_.size() ? take(1, from_[source_]) : too_many();
      case CopyRest: {
        while (source_ < from_.size()) LAPIS_CHECK(take(1, from_[source_]));
        return ok();
      }
      case Merge: return source_ + 1 < from_.size() ? take(2, from_[source_] * from_[source_ + 1]) : too_many();
      case Split: return split();
      default:
        return code > 0 ? take(1, Dim(code))
                        : Status(Translation::unsupported("the code " + std::to_string(code) + " in a shape"));
    }
  }

  Status take(size_t consumed, Dim size) {
    source_ += consumed;
    result_.push_back(std::move(size));
    return ok();
  }

  Status split() {
    if (at_ + 2 > codes_.size() || source_ >= from_.size()) return too_many();
    const Dim whole = from_[source_++];
    const int64_t first = codes_[at_++], second = codes_[at_++];
    for (const int64_t part : {first, second}) {
      const int64_t other = part == first ? second : first;
      result_.push_back(part > 0    ? Dim(part)
                        : other > 0 ? exact_div(whole, Dim(other)).value_or(Dim::unknown())
                                    : Dim::unknown());
    }
    return ok();
  }

  static Status too_many() { return error(ErrorKind::Input, "its shape has codes for more axes than the operand has"); }

  const Dims& from_;
  const std::vector<int64_t>& codes_;
  size_t at_ = 0, source_ = 0;
  Dims result_;
};

// As ONNX says it: numbers, 0 where a dimension stays in its place, and one -1.
Result<Shape> as_onnx(const Dims& from, const Dims& to) {
  Shape shape;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i].is_constant())
      shape.push_back(to[i].value());
    else
      shape.push_back(i < from.size() && from[i] == to[i] ? 0 : -1);
  }
  if (std::count(shape.begin(), shape.end(), -1) > 1)
    return Translation::unsupported("a shape with several open sizes");
  return shape;
}

Result<Shape> wanted_shape(Translation& t, const Value* x) {
  Options o(t);
  std::vector<int64_t> codes = o.list("shape");
  if (codes.empty()) codes = o.list("target_shape");
  const bool reverse = o.flag("reverse", false);
  LAPIS_CHECK(o.status());
  if (reverse) return Translation::unsupported("a shape that is read from behind");
  if (is_plain(codes)) return codes;
  if (!x->type().ranked()) return Translation::unsupported("codes in a shape where the rank is not known");
  LAPIS_TRY(const Dims to, ShapeCodes(*x->type().dims, codes).run());
  return as_onnx(*x->type().dims, to);
}

// ---- slices ---------------------------------------------------------------------------------------------------------

int64_t at_or(const std::vector<int64_t>& list, size_t i, int64_t fallback) {
  return i < list.size() && list[i] != kNone ? list[i] : fallback;
}

Result<std::vector<Value*>> parts(Translation& t, Value* x, int64_t axis, int64_t count) {
  constexpr int64_t kMost = 4096;
  if (count < 1 || count > kMost) return error(ErrorKind::Input, "has " + std::to_string(count) + " results");
  return t.add_all(ops::Split, {x}, encode_attributes(ops::SplitAttrs{axis, count}), static_cast<size_t>(count));
}

}  // namespace

Status reshape(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Shape shape, wanted_shape(t, x));
  return finish(t, frontend::reshape(t, x, std::move(shape)));
}

Status reshape_like(Translation& t) {
  if (!t.node().attributes.empty()) return Translation::unsupported("a part of the axes");
  LAPIS_TRY(Value * x, operand(t, 0));
  LAPIS_TRY(Value * like, operand(t, 1));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {like}));
  return finish(t, t.add(ops::Reshape, {x, shape}));
}

Status shape_array(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::ShapeOf, {x}));
}

Status flatten(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::Flatten, {x}, ops::FlattenAttrs{1}));
}

Status transpose(Translation& t) {
  Options o(t);
  Axes perm = o.list("axes");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(perm, frontend::axes_of(perm, rank));
  return finish(t, t.add(ops::Transpose, {x}, ops::TransposeAttrs{perm}));
}

Status swap_axis(Translation& t) {
  Options o(t);
  const int64_t a = o.integer("dim1", 0), b = o.integer("dim2", 0);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, frontend::swap_axes(t, x, a, b));
}

Status expand_dims(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("axis", 0);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, frontend::unsqueeze(t, x, {axis}));
}

Status squeeze(Translation& t) {
  Options o(t);
  Axes axes = o.list("axis");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, frontend::squeeze(t, x, std::move(axes)));
}

Status concat(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("dim", 1);
  LAPIS_CHECK(o.status());
  std::vector<Value*> all;
  for (size_t i = 0; i < t.node().inputs.size(); ++i) {
    LAPIS_TRY(all.emplace_back(), operand(t, i));
  }
  return finish(t, t.add(ops::Concat, all, ops::ConcatAttrs{axis}));
}

Status stack(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("axis", 0);
  LAPIS_CHECK(o.status());
  std::vector<Value*> all;
  for (size_t i = 0; i < t.node().inputs.size(); ++i) {
    LAPIS_TRY(Value * x, operand(t, i));
    LAPIS_TRY(all.emplace_back(), frontend::unsqueeze(t, x, {axis}));
  }
  return finish(t, t.add(ops::Concat, all, ops::ConcatAttrs{axis}));
}

Status split(Translation& t) {
  Options o(t);
  const int64_t count = o.integer("num_outputs", o.integer("sections", 0)), axis = o.integer("axis", 1);
  const bool squeezes = o.flag("squeeze_axis", false);
  LAPIS_CHECK(o.status());
  if (count == 0) return Translation::unsupported("parts of several sizes");
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const std::vector<Value*> all, parts(t, x, axis, count));
  for (size_t i = 0; i < std::min(all.size(), t.node().outputs.size()); ++i) {
    Value* part = all[i];
    if (squeezes) {
      LAPIS_TRY(part, frontend::squeeze(t, part, {axis}));
    }
    LAPIS_CHECK(frontend::result(t, i, part));
  }
  return ok();
}

Status slice(Translation& t) {
  Options o(t);
  const std::vector<int64_t> begins = o.list("begin"), ends = o.list("end"), steps = o.list("step");
  LAPIS_CHECK(o.status());
  std::vector<int64_t> from, to, by, axes;
  for (size_t i = 0; i < std::max(begins.size(), ends.size()); ++i) {
    by.push_back(at_or(steps, i, 1));
    from.push_back(at_or(begins, i, by.back() < 0 ? INT64_MAX : 0));
    to.push_back(at_or(ends, i, by.back() < 0 ? INT64_MIN : INT64_MAX));
    axes.push_back(static_cast<int64_t>(i));
  }
  LAPIS_TRY(Value * x, operand(t));
  using frontend::ints;
  return finish(t, t.add(ops::Slice, {x, ints(t, from), ints(t, to), ints(t, axes), ints(t, by)}));
}

Status slice_axis(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("axis", 0), begin = o.integer("begin", 0), end = o.integer("end", INT64_MAX);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, frontend::slice(t, x, axis, begin, end));
}

Status slice_like(Translation& t) {
  Options o(t);
  Axes axes = o.list("axes");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t, 0));
  LAPIS_TRY(Value * like, operand(t, 1));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(like));
  for (int64_t axis = 0; axis < rank && t.node().attributes.count("axes") == 0; ++axis) axes.push_back(axis);
  LAPIS_TRY(axes, frontend::axes_of(axes, rank));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {like}));
  LAPIS_TRY(Value * ends, t.add(ops::Gather, {sizes, frontend::ints(t, axes)}));
  Value* begins = frontend::ints(t, std::vector<int64_t>(axes.size(), 0));
  return finish(t, t.add(ops::Slice, {x, begins, ends, frontend::ints(t, axes)}));
}

Status tile(Translation& t) {
  Options o(t);
  std::vector<int64_t> times = o.list("reps");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  const auto wanted = static_cast<int64_t>(times.size());
  if (wanted > rank) {
    Axes front;
    for (int64_t axis = 0; axis < wanted - rank; ++axis) front.push_back(axis);
    LAPIS_TRY(x, frontend::unsqueeze(t, x, front));
  }
  for (int64_t i = wanted; i < rank; ++i) times.insert(times.begin(), 1);
  return finish(t, t.add(ops::Tile, {x, frontend::ints(t, times)}));
}

// 0 leaves a dimension as it is, as 1 does where ONNX expands.
Status broadcast_to(Translation& t) {
  Options o(t);
  std::vector<int64_t> shape = o.list("shape");
  LAPIS_CHECK(o.status());
  std::replace(shape.begin(), shape.end(), int64_t{0}, int64_t{1});
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::Expand, {x, frontend::ints(t, shape)}));
}

Status broadcast_axis(Translation& t) {
  Options o(t);
  Axes axes = o.list("axis");
  const std::vector<int64_t> sizes = o.list("size");
  LAPIS_CHECK(o.status());
  if (axes.size() != sizes.size()) return error(ErrorKind::Input, "has not as many sizes as axes");
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(axes, frontend::axes_of(axes, rank));
  Shape shape(static_cast<size_t>(rank), 1);
  for (size_t i = 0; i < axes.size(); ++i) shape[static_cast<size_t>(axes[i])] = sizes[i];
  return finish(t, t.add(ops::Expand, {x, frontend::ints(t, shape)}));
}

Status pad(Translation& t) {
  Options o(t);
  const std::string mode = o.word("mode", "");
  const std::vector<int64_t> widths = o.list("pad_width");
  const double value = o.number("constant_value", 0);
  LAPIS_CHECK(o.status());
  if (mode != "constant" && mode != "edge" && mode != "reflect")
    return Translation::unsupported("the mode '" + mode + "'");
  if (widths.size() % 2 != 0) return error(ErrorKind::Input, "its pad_width is not two numbers for each axis");
  std::vector<int64_t> pads;
  for (const size_t side : {0, 1})
    for (size_t i = side; i < widths.size(); i += 2) pads.push_back(widths[i]);
  LAPIS_TRY(Value * x, operand(t));
  std::vector<Value*> inputs = {x, frontend::ints(t, pads)};
  if (mode == "constant" && value != 0) inputs.push_back(frontend::scalar(t, value, x->dtype()));
  return finish(t, t.add(ops::Pad, inputs, ops::PadAttrs{mode}));
}

}  // namespace lapis::mxnet_frontend
