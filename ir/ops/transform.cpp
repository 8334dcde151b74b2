// Operators that reorder, repeat or join elements by a fixed pattern: Transpose, Expand, Tile, Concat, Split,
// DepthToSpace, SpaceToDepth.
#include <algorithm>
#include <numeric>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/extents.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- Transpose -----------------------------------------------------------------------------------------------------

template <class Context> Result<std::vector<int64_t>> permutation(const Context& c, int64_t rank) {
  std::vector<int64_t> perm = c.template attrs<TransposeAttrs>().perm;
  if (perm.empty()) {
    perm.resize(static_cast<size_t>(rank));
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  if (std::any_of(perm.begin(), perm.end(), [](int64_t axis) { return axis < 0; }))
    return c.error("perm " + to_string(std::span<const int64_t>(perm)) +
                   " counts axes from the end, which Transpose does not");
  if (static_cast<int64_t>(perm.size()) != rank)
    return c.error("perm " + to_string(std::span<const int64_t>(perm)) + " does not have the rank of the input, " +
                   std::to_string(rank));
  return checked_axes(c, std::move(perm), rank);
}

Result<Types> infer_transpose(const InferContext& c) {
  const Type& data = c.in(0);
  if (!data.ranked()) {
    const auto perm = c.attrs<TransposeAttrs>().perm;
    return perm.empty() ? unranked(data.dtype) : of_rank(data.dtype, static_cast<int64_t>(perm.size()));
  }
  LAPIS_TRY(const std::vector<int64_t> perm, permutation(c, data.rank()));
  Dims dims;
  for (int64_t axis : perm) dims.push_back(data.dim(axis));
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_transpose(EvalContext& c) {
  LAPIS_TRY(const std::vector<int64_t> perm, permutation(c, c.in(0).rank()));
  c.set_out(0, transpose(c.in(0), perm));
  return ok();
}

// ---- Expand, Tile --------------------------------------------------------------------------------------------------

Result<Types> infer_expand(const InferContext& c) {
  const auto target = c.contents(1);
  if (!target) {
    const auto length = length_of(c.in(1));
    if (!length || !c.in(0).ranked()) return unranked(c.in(0).dtype);
    return of_rank(c.in(0).dtype, std::max(*length, c.in(0).rank()));
  }
  const Type shape = Type::tensor(c.in(0).dtype, *target);
  LAPIS_TRY(std::optional<Dims> dims, broadcast(c, {&c.in(0), &shape}));
  return Types{Type::tensor(c.in(0).dtype, std::move(dims))};
}

Status evaluate_expand(EvalContext& c) {
  const std::vector<int64_t> target = c.in(1).as_ints();
  LAPIS_CHECK(check_shape(c, c.in(0).dtype(), target));
  const auto shape = broadcast_shapes(c.in(0).shape(), target);
  if (!shape)
    return c.error("cannot expand " + to_string(c.in(0).shape()) + " to " +
                   to_string(std::span<const int64_t>(target)));
  c.set_out(0, expand(c.in(0), *shape));
  return ok();
}

template <class Context> Status check_repeats(const Context& c, size_t rank, const Dims& repeats) {
  if (repeats.size() != rank)
    return c.error("repeats " + to_string(repeats) + " must name every axis of an input of rank " +
                   std::to_string(rank));
  for (const Dim& r : repeats)
    if (r.is_constant() && r.value() < 0) return c.error("repeats " + to_string(repeats) + " has a negative count");
  return ok();
}

Result<Types> infer_tile(const InferContext& c) {
  const Type& data = c.in(0);
  const auto repeats = c.contents(1);
  if (!data.ranked()) return unranked(data.dtype);
  if (!repeats) return of_rank(data.dtype, data.rank());
  LAPIS_CHECK(check_repeats(c, data.dims->size(), *repeats));
  Dims dims = *data.dims;
  for (size_t i = 0; i < dims.size(); ++i) dims[i] = dims[i] * (*repeats)[i];
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_tile(EvalContext& c) {
  const Tensor& data = c.in(0);
  LAPIS_CHECK(check_repeats(c, data.shape().size(), ints_of(c, 1)));
  lapis::Shape shape = data.shape();
  for (size_t i = 0; i < shape.size(); ++i) {
    const Dim extent = Dim(shape[i]) * Dim(c.in(1).as_int(static_cast<int64_t>(i)));
    shape[i] = extent.constant().value_or(INT64_MAX);
  }
  LAPIS_CHECK(check_shape(c, data.dtype(), shape));
  Offsets axes = identity_offsets(data.shape());
  for (size_t i = 0; i < axes.size(); ++i) {
    const std::vector<int64_t> once = axes[i];
    axes[i].clear();
    for (int64_t r = 0; !once.empty() && r < c.in(1).as_int(static_cast<int64_t>(i)); ++r)
      axes[i].insert(axes[i].end(), once.begin(), once.end());
  }
  c.set_out(0, collect(data, axes));
  return ok();
}

// ---- Concat, Split -------------------------------------------------------------------------------------------------

// What two operands say about an axis that they share; nullopt if they contradict each other.
std::optional<Dim> agreed(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return a == b ? std::optional(a) : std::nullopt;
  return b.is_constant() || !a.is_known() ? b : a;
}

Result<Types> infer_concat(const InferContext& c) {
  if (c.input_count() == 0) return c.error("needs at least one operand");
  const Type& first = c.in(0);
  std::optional<Dims> dims;
  Dim extent = 0;
  for (size_t i = 0; i < c.input_count(); ++i) {
    const Type& part = c.in(i);
    if (!part.ranked()) {
      extent = Dim::unknown();
      continue;
    }
    LAPIS_TRY(const int64_t axis, c.axis(c.attrs<ConcatAttrs>().axis, part.rank()));
    extent = extent + part.dim(axis);
    if (!dims) dims = *part.dims;
    if (dims->size() != part.dims->size())
      return c.error("operands have different ranks: " + to_string(*dims) + " and " + part.to_string());
    for (size_t d = 0; d < dims->size(); ++d) {
      if (static_cast<int64_t>(d) == axis) continue;
      const auto common = agreed((*dims)[d], (*part.dims)[d]);
      if (!common)
        return c.error("operands differ in axis " + std::to_string(d) + ": " + to_string(*dims) + " and " +
                       part.to_string());
      (*dims)[d] = *common;
    }
  }
  if (dims) {
    LAPIS_TRY(const int64_t axis, c.axis(c.attrs<ConcatAttrs>().axis, static_cast<int64_t>(dims->size())));
    (*dims)[static_cast<size_t>(axis)] = extent;
  }
  return Types{Type::tensor(first.dtype, std::move(dims))};
}

Status evaluate_concat(EvalContext& c) {
  LAPIS_TRY(const int64_t axis, checked_axis(c, c.attrs<ConcatAttrs>().axis, c.in(0).rank()));
  std::vector<Tensor> parts;
  for (size_t i = 0; i < c.input_count(); ++i) {
    lapis::Shape a = c.in(0).shape(), b = c.in(i).shape();
    if (a.size() == b.size()) a[static_cast<size_t>(axis)] = b[static_cast<size_t>(axis)] = 0;
    if (a != b)
      return c.error("cannot join " + to_string(c.in(0).shape()) + " and " + to_string(c.in(i).shape()) +
                     " along axis " + std::to_string(axis));
    parts.push_back(c.in(i));
  }
  c.set_out(0, concat(parts, axis));
  return ok();
}

std::optional<Dims> propagate_concat(const InferContext& c) {
  Dims joined;
  for (size_t i = 0; i < c.input_count(); ++i) {
    const auto part = c.contents(i);
    if (!part || !c.in(i).ranked() || c.in(i).rank() != 1) return std::nullopt;
    joined.insert(joined.end(), part->begin(), part->end());
  }
  return joined;
}

// The sizes of the pieces. In equal pieces the last one is smaller if it does not come out even.
template <class Context>
Result<Dims> split_sizes(const Context& c, const Dim& extent, const std::optional<Dims>& given) {
  const auto a = c.template attrs<SplitAttrs>();
  const auto outputs = static_cast<int64_t>(c.node().outputs().size());
  if (given) {
    Dim sum = 0;
    for (const Dim& d : *given) sum = sum + d;
    if (static_cast<int64_t>(given->size()) != outputs)
      return c.error("split names " + std::to_string(given->size()) + " pieces but there are " +
                     std::to_string(outputs) + " outputs");
    if (differ(sum, extent))
      return c.error("the pieces " + to_string(*given) + " do not add up to " + extent.to_string());
    return *given;
  }
  if (a.num_outputs && *a.num_outputs != outputs)
    return c.error("num_outputs is " + std::to_string(*a.num_outputs) + " but there are " + std::to_string(outputs) +
                   " outputs");
  const auto even = exact_div(extent, Dim(outputs));
  const Dim piece = even ? *even : ceil_div(extent, Dim(outputs));
  Dims sizes(static_cast<size_t>(outputs), piece);
  sizes.back() = extent - piece * Dim(outputs - 1);
  if (sizes.back().is_constant() && sizes.back().value() < 0)
    return c.error("cannot split " + extent.to_string() + " elements into " + std::to_string(outputs) + " pieces");
  return sizes;
}

Result<Types> infer_split(const InferContext& c) {
  const Type& data = c.in(0);
  const size_t outputs = c.node().outputs().size();
  if (!data.ranked()) return Types(outputs, Type::tensor(data.dtype));
  LAPIS_TRY(const int64_t axis, c.axis(c.attrs<SplitAttrs>().axis, data.rank()));
  Dims sizes(outputs);
  if (!c.has(1) || c.contents(1)) {
    LAPIS_TRY(sizes, split_sizes(c, data.dim(axis), c.contents(1)));
  }
  Types pieces(outputs, data);
  for (size_t i = 0; i < outputs; ++i) (*pieces[i].dims)[static_cast<size_t>(axis)] = sizes[i];
  return pieces;
}

Status evaluate_split(EvalContext& c) {
  const Tensor& data = c.in(0);
  LAPIS_TRY(const int64_t axis, checked_axis(c, c.attrs<SplitAttrs>().axis, data.rank()));
  LAPIS_TRY(const Dims sizes, split_sizes(c, data.dim(axis), c.has(1) ? std::optional(ints_of(c, 1)) : std::nullopt));
  const Offsets all = identity_offsets(data.shape());
  auto begin = all[static_cast<size_t>(axis)].begin();
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].value() < 0) return c.error("a piece cannot have " + sizes[i].to_string() + " elements");
    Offsets piece = all;
    piece[static_cast<size_t>(axis)].assign(begin, begin + sizes[i].value());
    begin += sizes[i].value();
    if (c.wants(i)) c.set_out(i, collect(data, piece));
  }
  return ok();
}

// ---- DepthToSpace, SpaceToDepth ------------------------------------------------------------------------------------

template <class Context> Result<int64_t> block_size(const Context& c, int64_t size) {
  if (size < 1 || size > INT32_MAX)  // its square has to fit
    return c.error("blocksize must be 1 to " + std::to_string(INT32_MAX) + ", not " + std::to_string(size));
  return size;
}

// One dimension over the block size; an error if that cannot come out even.
template <class Context> Result<Dim> divided(const Context& c, const Dim& d, int64_t by) {
  if (const auto exact = exact_div(d, Dim(by))) return *exact;
  if (d.is_constant())
    return c.error("a dimension of " + d.to_string() + " cannot be cut into blocks of " + std::to_string(by));
  return floor_div(d, Dim(by));
}

Result<Types> infer_depth_to_space(const InferContext& c) {
  const auto a = c.attrs<DepthToSpaceAttrs>();
  if (a.mode != "DCR" && a.mode != "CRD") return c.error("mode is '" + a.mode + "', allowed are DCR and CRD");
  LAPIS_TRY(const int64_t b, block_size(c, a.blocksize));
  const Type& data = c.in(0);
  if (!data.ranked()) return of_rank(data.dtype, 4);
  if (data.rank() != 4) return c.error("needs an input of rank 4, not " + data.to_string());
  LAPIS_TRY(const Dim channels, divided(c, data.dim(1), b * b));
  return Types{Type::tensor(data.dtype, Dims{data.dim(0), channels, data.dim(2) * Dim(b), data.dim(3) * Dim(b)})};
}

Result<Types> infer_space_to_depth(const InferContext& c) {
  LAPIS_TRY(const int64_t b, block_size(c, c.attrs<SpaceToDepthAttrs>().blocksize));
  const Type& data = c.in(0);
  if (!data.ranked()) return of_rank(data.dtype, 4);
  if (data.rank() != 4) return c.error("needs an input of rank 4, not " + data.to_string());
  LAPIS_TRY(const Dim height, divided(c, data.dim(2), b));
  LAPIS_TRY(const Dim width, divided(c, data.dim(3), b));
  return Types{Type::tensor(data.dtype, Dims{data.dim(0), data.dim(1) * Dim(b * b), height, width})};
}

Status evaluate_depth_to_space(EvalContext& c) {
  const auto a = c.attrs<DepthToSpaceAttrs>();
  const Tensor& x = c.in(0);
  const int64_t b = a.blocksize;
  if (x.rank() != 4 || x.dim(1) % (b * b) != 0)
    return c.error("needs channels in multiples of " + std::to_string(b * b) + ", not " + to_string(x.shape()));
  const int64_t n = x.dim(0), ch = x.dim(1) / (b * b), h = x.dim(2), w = x.dim(3);
  const Tensor moved = a.mode == "DCR" ? transpose(x.reshaped({n, b, b, ch, h, w}), {0, 3, 4, 1, 5, 2})
                                       : transpose(x.reshaped({n, ch, b, b, h, w}), {0, 1, 4, 2, 5, 3});
  c.set_out(0, moved.reshaped({n, ch, h * b, w * b}));
  return ok();
}

Status evaluate_space_to_depth(EvalContext& c) {
  const Tensor& x = c.in(0);
  const int64_t b = c.attrs<SpaceToDepthAttrs>().blocksize;
  if (x.rank() != 4 || x.dim(2) % b != 0 || x.dim(3) % b != 0)
    return c.error("needs planes in multiples of " + std::to_string(b) + ", not " + to_string(x.shape()));
  const int64_t n = x.dim(0), ch = x.dim(1), h = x.dim(2) / b, w = x.dim(3) / b;
  c.set_out(0, transpose(x.reshaped({n, ch, h, b, w, b}), {0, 3, 5, 1, 2, 4}).reshaped({n, ch * b * b, h, w}));
  return ok();
}

constexpr TypeSet kInt64 = types(DType::Int64);

OpBuilder movement(std::string_view name, int since, std::string_view doc, InferFn infer, EvaluateFn evaluate) {
  return op(name).since(since).doc(doc).infer(infer).evaluate(evaluate).traits(kMovement).quant(Quant::SharedScale);
}

}  // namespace

const OpDef Concat =
    movement("Concat", 13, "The operands behind each other along one axis.", infer_concat, evaluate_concat)
        .variadic_in("inputs", kTensors, "T")
        .out("concat_result", kTensors)
        .attrs<ConcatAttrs>()
        .propagate(propagate_concat);

const OpDef DepthToSpace = movement("DepthToSpace", 13, "Blocks of channels laid out as squares of pixels.",
                                    infer_depth_to_space, evaluate_depth_to_space)
                               .in("input", kTensors)
                               .out("output", kTensors)
                               .attrs<DepthToSpaceAttrs>();

const OpDef Expand = movement("Expand", 13, "The input broadcast against a shape.", infer_expand, evaluate_expand)
                         .in("input", kTensors)
                         .in("shape", kInt64)
                         .out("output", kTensors);

const OpDef SpaceToDepth = movement("SpaceToDepth", 13, "Squares of pixels laid out as blocks of channels.",
                                    infer_space_to_depth, evaluate_space_to_depth)
                               .in("input", kTensors)
                               .out("output", kTensors)
                               .attrs<SpaceToDepthAttrs>();

const OpDef Split = movement("Split", 18, "The input cut into pieces along one axis.", infer_split, evaluate_split)
                        .in("input", kTensors)
                        .optional_in("split", kInt64)
                        .variadic_out("outputs", kTensors)
                        .attrs<SplitAttrs>();

const OpDef Tile = movement("Tile", 13, "The input repeated along each axis.", infer_tile, evaluate_tile)
                       .in("input", kTensors)
                       .in("repeats", kInt64)
                       .out("output", kTensors);

const OpDef Transpose = movement("Transpose", 25, "The axes in another order.", infer_transpose, evaluate_transpose)
                            .in("data")
                            .out("transposed")
                            .attrs<TransposeAttrs>();

}  // namespace lapis::ops
