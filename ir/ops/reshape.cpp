// Operators that give the same elements, in the same order, another shape.
#include <algorithm>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/extents.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- Reshape -------------------------------------------------------------------------------------------------------

// The size that -1 stands for: all elements over the known sizes. Dimensions on both sides cancel first, so unknown
// ones may take part.
Dim inferred_size(Dims from, const Dims& to, const std::vector<size_t>& copied) {
  for (size_t axis : copied) from[axis] = 1;
  Dims rest;
  for (const Dim& d : to) {
    const auto match = std::find(from.begin(), from.end(), d);
    if (match != from.end())
      *match = 1;
    else
      rest.push_back(d);
  }
  const Dim all = product(from), known = product(rest);
  if (known.is(0)) return all.is(0) ? Dim(0) : Dim::unknown();
  if (const auto exact = exact_div(all, known)) return *exact;
  return floor_div(all, known);
}

template <class Context>
Result<Dims> reshape_dims(const Context& c, const Dims& from, const Dims& target, bool allowzero) {
  Dims result = target, fixed;
  std::vector<size_t> copied;
  std::optional<size_t> wildcard;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i].is(-1)) {
      if (wildcard) return c.error("the shape " + to_string(target) + " has more than one -1");
      wildcard = i;
    } else if (target[i].is(0) && !allowzero) {
      if (i >= from.size())
        return c.error("a 0 in the shape " + to_string(target) + " copies a dimension that " + to_string(from) +
                       " does not have");
      result[i] = from[i];
      copied.push_back(i);
    } else {
      if (target[i].is_constant() && target[i].value() < 0)
        return c.error("the shape " + to_string(target) + " has a negative size");
      fixed.push_back(target[i]);
    }
  }
  if (wildcard) result[*wildcard] = inferred_size(from, fixed, copied);
  const Dim before = product(from), after = product(result);
  if (before.is_constant() && after.is_too_large())
    return c.error("cannot reshape " + to_string(from) + " to " + to_string(target) +
                   ", which is larger than any memory");
  if (differ(before, after))
    return c.error("cannot reshape " + to_string(from) + " to " + to_string(target) + ": the element counts differ");
  return result;
}

Result<Types> infer_reshape(const InferContext& c) {
  const Type& data = c.in(0);
  const auto target = c.contents(1);
  if (!target) {
    const auto rank = length_of(c.in(1));
    return rank ? of_rank(data.dtype, *rank) : unranked(data.dtype);
  }
  // Without a rank the copied sizes are unknown, but the given ones hold.
  const Dims from = data.ranked() ? *data.dims : Dims(target->size());
  LAPIS_TRY(Dims dims, reshape_dims(c, from, *target, c.attrs<ReshapeAttrs>().allowzero));
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_reshape(EvalContext& c) {
  LAPIS_TRY(const Dims dims,
            reshape_dims(c, to_dims(c.in(0).shape()), ints_of(c, 1), c.attrs<ReshapeAttrs>().allowzero));
  const auto shape = numbers_of(dims);
  if (!shape) return c.error("the -1 in the shape " + to_string(ints_of(c, 1)) + " is ambiguous for an empty tensor");
  c.set_out(0, c.in(0).reshaped(*shape));
  return ok();
}

// ---- Flatten -------------------------------------------------------------------------------------------------------

// Unlike other axes, one past the end is allowed.
template <class Context> Result<Dims> flatten_dims(const Context& c, const Dims& from) {
  const auto rank = static_cast<int64_t>(from.size());
  const int64_t axis = c.template attrs<FlattenAttrs>().axis;
  if (axis < -rank || axis > rank)
    return c.error("axis " + std::to_string(axis) + " is out of range for " + to_string(from));
  const auto split = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  return Dims{product(from, 0, split), product(from, split)};
}

Result<Types> infer_flatten(const InferContext& c) {
  if (!c.in(0).ranked()) return of_rank(c.in(0).dtype, 2);
  LAPIS_TRY(Dims dims, flatten_dims(c, *c.in(0).dims));
  return Types{Type::tensor(c.in(0).dtype, std::move(dims))};
}

Status evaluate_flatten(EvalContext& c) {
  LAPIS_TRY(const Dims dims, flatten_dims(c, to_dims(c.in(0).shape())));
  c.set_out(0, c.in(0).reshaped(*numbers_of(dims)));
  return ok();
}

// ---- Squeeze, Unsqueeze --------------------------------------------------------------------------------------------

// Without axes every 1 goes; nullopt if a size that decides about that is not known.
template <class Context>
Result<std::optional<Dims>> squeeze_dims(const Context& c, const Dims& from,
                                         const std::optional<std::vector<int64_t>>& axes) {
  std::vector<bool> dropped(from.size());
  if (axes) {
    LAPIS_TRY(const std::vector<int64_t> normal, checked_axes(c, *axes, static_cast<int64_t>(from.size())));
    for (int64_t axis : normal) {
      const Dim& d = from[static_cast<size_t>(axis)];
      if (d.is_constant() && !d.is(1))
        return c.error("cannot squeeze axis " + std::to_string(axis) + " of " + to_string(from) +
                       ": its size is not 1");
      dropped[static_cast<size_t>(axis)] = true;
    }
  }
  Dims result;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!axes && !from[i].is_constant()) return std::optional<Dims>();
    if (!(axes ? dropped[i] : from[i].is(1))) result.push_back(from[i]);
  }
  return std::optional(std::move(result));
}

Result<Types> infer_squeeze(const InferContext& c) {
  const Type& data = c.in(0);
  if (!data.ranked()) return unranked(data.dtype);
  const auto axes = numbers_of(c.contents(1));
  if (c.has(1) && !axes) {
    const auto count = length_of(c.in(1));
    return count && *count <= data.rank() ? of_rank(data.dtype, data.rank() - *count) : unranked(data.dtype);
  }
  LAPIS_TRY(std::optional<Dims> dims, squeeze_dims(c, *data.dims, axes));
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_squeeze(EvalContext& c) {
  const auto axes = c.has(1) ? std::optional(c.in(1).as_ints()) : std::nullopt;
  LAPIS_TRY(const std::optional<Dims> dims, squeeze_dims(c, to_dims(c.in(0).shape()), axes));
  const auto shape = numbers_of(dims);
  if (element_count(*shape) != c.in(0).size()) return c.error("only axes of size 1 can be squeezed");
  c.set_out(0, c.in(0).reshaped(*shape));
  return ok();
}

template <class Context>
Result<Dims> unsqueeze_dims(const Context& c, const Dims& from, const std::vector<int64_t>& axes) {
  const size_t rank = from.size() + axes.size();
  LAPIS_TRY(const std::vector<int64_t> normal, checked_axes(c, axes, static_cast<int64_t>(rank)));
  Dims result(rank);
  for (int64_t axis : normal) result[static_cast<size_t>(axis)] = 1;
  auto next = from.begin();
  for (size_t i = 0; i < rank; ++i)
    if (std::find(normal.begin(), normal.end(), static_cast<int64_t>(i)) == normal.end()) result[i] = *next++;
  return result;
}

Result<Types> infer_unsqueeze(const InferContext& c) {
  const Type& data = c.in(0);
  const auto axes = numbers_of(c.contents(1));
  if (!data.ranked()) return unranked(data.dtype);
  if (!axes) {
    const auto count = length_of(c.in(1));
    return count ? of_rank(data.dtype, data.rank() + *count) : unranked(data.dtype);
  }
  LAPIS_TRY(Dims dims, unsqueeze_dims(c, *data.dims, *axes));
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_unsqueeze(EvalContext& c) {
  LAPIS_TRY(const Dims dims, unsqueeze_dims(c, to_dims(c.in(0).shape()), c.in(1).as_ints()));
  c.set_out(0, c.in(0).reshaped(*numbers_of(dims)));
  return ok();
}

constexpr TypeSet kInt64 = types(DType::Int64);

OpBuilder view(std::string_view name, std::string_view doc, InferFn infer, EvaluateFn evaluate,
               std::string_view operand = "data") {
  return op(name)
      .since(25)
      .doc(doc)
      .in(operand)
      .infer(infer)
      .evaluate(evaluate)
      .propagate(propagate_same)
      .traits(kMovement)
      .quant(Quant::SharedScale);
}

}  // namespace

const OpDef Flatten =
    view("Flatten", "A matrix: the axes before `axis` are its rows.", infer_flatten, evaluate_flatten, "input")
        .out("output")
        .attrs<FlattenAttrs>();
const OpDef Reshape = view("Reshape", "The same elements in another shape.", infer_reshape, evaluate_reshape)
                          .in("shape", kInt64)
                          .out("reshaped")
                          .attrs<ReshapeAttrs>();
const OpDef Squeeze =
    view("Squeeze", "Axes of size 1 removed: the given ones, or all.", infer_squeeze, evaluate_squeeze)
        .optional_in("axes", kInt64)
        .out("squeezed");
const OpDef Unsqueeze =
    view("Unsqueeze", "Axes of size 1 inserted at the given places of the result.", infer_unsqueeze, evaluate_unsqueeze)
        .in("axes", kInt64)
        .out("expanded");

}  // namespace lapis::ops
