// Operators that look elements up by position: Gather, GatherElements, GatherND.
#include <algorithm>

#include "ir/ops/data_attributes.h"
#include "ir/ops/indexing.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- Gather --------------------------------------------------------------------------------------------------------

template <class Shapes> Shapes gathered(const Shapes& data, const Shapes& indices, int64_t axis) {
  Shapes result(data.begin(), data.begin() + axis);
  result.insert(result.end(), indices.begin(), indices.end());
  result.insert(result.end(), data.begin() + axis + 1, data.end());
  return result;
}

Result<Types> infer_gather(const InferContext& c) {
  const Type &data = c.in(0), &indices = c.in(1);
  if (!data.ranked()) return unranked(data.dtype);
  LAPIS_TRY(const int64_t axis, c.axis(c.attrs<AxisAttrs>().axis, data.rank()));
  if (!indices.ranked()) return unranked(data.dtype);
  return Types{Type::tensor(data.dtype, gathered(*data.dims, *indices.dims, axis))};
}

Status evaluate_gather(EvalContext& c) {
  const Tensor &data = c.in(0), &indices = c.in(1);
  LAPIS_TRY(const int64_t axis, checked_axis(c, c.attrs<AxisAttrs>().axis, data.rank()));
  LAPIS_TRY(std::vector<int64_t> positions, checked_positions(c, indices, data.dim(axis)));
  const int64_t stride = row_major_strides(data.shape())[static_cast<size_t>(axis)];
  for (int64_t& p : positions) p *= stride;
  Offsets offsets = identity_offsets(data.shape());
  offsets[static_cast<size_t>(axis)] = std::move(positions);
  c.set_out(0, collect(data, offsets).reshaped(gathered(data.shape(), indices.shape(), axis)));
  return ok();
}

std::optional<Dims> propagate_gather(const InferContext& c) {
  const auto data = c.contents(0);
  const auto indices = numbers_of(c.contents(1));
  if (!data || !indices || !c.in(0).ranked() || c.in(0).rank() != 1) return std::nullopt;
  const auto size = static_cast<int64_t>(data->size());
  Dims result;
  for (int64_t i : *indices) {
    if (i < -size || i >= size) return std::nullopt;
    result.push_back((*data)[static_cast<size_t>(normalized(i, size))]);
  }
  return result;
}

// ---- GatherElements ------------------------------------------------------------------------------------------------

Result<Types> infer_gather_elements(const InferContext& c) {
  const Type &data = c.in(0), &indices = c.in(1);
  if (!data.ranked() || !indices.ranked()) return Types{Type::tensor(data.dtype, indices.dims)};
  if (data.rank() != indices.rank())
    return c.error("data and indices must have the same rank: " + data.to_string() + " and " + indices.to_string());
  LAPIS_CHECK(status_of(c.axis(c.attrs<AxisAttrs>().axis, data.rank()).diagnostics()));
  return Types{Type::tensor(data.dtype, indices.dims)};
}

Status evaluate_gather_elements(EvalContext& c) {
  LAPIS_TRY(std::vector<int64_t> index, element_positions(c, c.in(0).shape(), c.in(1), c.attrs<AxisAttrs>().axis));
  c.set_out(0, pick(c.in(0), c.in(1).shape(), std::move(index)));
  return ok();
}

// ---- GatherND ------------------------------------------------------------------------------------------------------

Result<Types> infer_gather_nd(const InferContext& c) {
  const Type &data = c.in(0), &indices = c.in(1);
  if (!data.ranked() || !indices.ranked()) return unranked(data.dtype);
  const int64_t batch = c.attrs<GatherNDAttrs>().batch_dims;
  if (indices.rank() < 1 || batch < 0 || batch >= std::min(data.rank(), indices.rank()))
    return c.error("batch_dims " + std::to_string(batch) + " must be less than both ranks: " + data.to_string() +
                   " and " + indices.to_string());
  const auto depth = indices.dim(-1).constant();
  if (!depth) return unranked(data.dtype);
  if (batch + *depth > data.rank())
    return c.error("indices of " + std::to_string(*depth) + " numbers are too long for " + data.to_string());
  Dims dims(indices.dims->begin(), indices.dims->end() - 1);
  dims.insert(dims.end(), data.dims->begin() + batch + *depth, data.dims->end());
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

Status evaluate_gather_nd(EvalContext& c) {
  LAPIS_TRY(Targets targets, slice_positions(c, c.in(0).shape(), c.in(1), c.attrs<GatherNDAttrs>().batch_dims));
  c.set_out(0, pick(c.in(0), std::move(targets.shape), std::move(targets.positions)));
  return ok();
}

constexpr Traits kLookup = Trait::Pure | Trait::ValuePreserving;  // not Movement: what moves depends on data

OpBuilder lookup(std::string_view name, std::string_view doc, TypeSet indices, InferFn infer, EvaluateFn evaluate) {
  return op(name)
      .since(13)
      .doc(doc)
      .in("data", kTensors)
      .in("indices", indices)
      .out("output", kTensors)
      .infer(infer)
      .evaluate(evaluate)
      .traits(kLookup)
      .quant(Quant::SharedScale);
}

}  // namespace

const OpDef Gather = lookup("Gather", "Whole slices of the data along one axis, in the order of the indices.", kIndices,
                            infer_gather, evaluate_gather)
                         .attrs<AxisAttrs>()
                         .propagate(propagate_gather);
const OpDef GatherElements =
    lookup("GatherElements", "Single elements: along one axis where the index says, along the others in place.",
           kIndices, infer_gather_elements, evaluate_gather_elements)
        .attrs<AxisAttrs>();
const OpDef GatherND = lookup("GatherND", "Slices of the data that the last axis of the indices addresses.",
                              types(DType::Int64), infer_gather_nd, evaluate_gather_nd)
                           .attrs<GatherNDAttrs>();

}  // namespace lapis::ops
