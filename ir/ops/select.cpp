// Operators that turn positions into masks and masks into positions: OneHot, NonZero, Trilu, Compress.
#include <algorithm>
#include <cmath>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kBool = types(DType::Bool);
constexpr TypeSet kInt64 = types(DType::Int64);

// ---- OneHot --------------------------------------------------------------------------------------------------------

template <class Shapes, class Size> Shapes with_axis(Shapes shape, int64_t axis, Size size) {
  shape.insert(shape.begin() + axis, size);
  return shape;
}

Result<Types> infer_one_hot(const InferContext& c) {
  const DType dtype = c.in(2).dtype;
  if (!c.in(0).ranked()) return unranked(dtype);
  LAPIS_TRY(const int64_t axis, checked_axis(c, c.attrs<OneHotAttrs>().axis, c.in(0).rank() + 1));
  Dim depth;
  if (const auto contents = c.contents(1); contents && contents->size() == 1)
    depth = (*contents)[0];
  else if (const Tensor* constant = c.constant(1); constant && constant->size() == 1)
    depth = extent_of(constant->as_double(0));
  return Types{Type::tensor(dtype, with_axis(*c.in(0).dims, axis, depth))};
}

Status evaluate_one_hot(EvalContext& c) {
  const Tensor& indices = c.in(0);
  LAPIS_TRY(const int64_t axis, checked_axis(c, c.attrs<OneHotAttrs>().axis, indices.rank() + 1));
  if (c.in(1).size() != 1 || c.in(2).size() != 2)
    return c.error("depth must be one number and values two (off and on)");
  const int64_t depth = extent_of(c.in(1).as_double(0)).constant().value_or(INT64_MAX);
  lapis::Shape shape = with_axis(indices.shape(), axis, depth);
  LAPIS_CHECK(check_shape(c, DType::Int64, shape));
  const AxisView view(shape, axis);
  std::vector<int64_t> index(static_cast<size_t>(element_count(shape)), 0);  // 0: off, 1: on
  for (int64_t i = 0; i < indices.size(); ++i) {
    const double wanted = indices.as_double(i);
    if (!(std::abs(wanted) <= static_cast<double>(depth))) continue;  // all off; NaN is no index either
    const auto hot = normalized(static_cast<int64_t>(wanted), depth);
    if (hot < 0 || hot >= depth) continue;
    index[static_cast<size_t>((i / view.inner * depth + hot) * view.inner + i % view.inner)] = 1;
  }
  c.set_out(0, pick(c.in(2), std::move(shape), std::move(index)));
  return ok();
}

// ---- NonZero -------------------------------------------------------------------------------------------------------

Result<Types> infer_non_zero(const InferContext& c) {
  const Dim rank = c.in(0).ranked() ? Dim(c.in(0).rank()) : Dim::unknown();
  return Types{Type::tensor(DType::Int64, Dims{rank, Dim::unknown()})};
}

Status evaluate_non_zero(EvalContext& c) {
  const Tensor& x = c.in(0);
  const lapis::Shape strides = row_major_strides(x.shape());
  std::vector<int64_t> found;
  visit_types<kNumbers | kBool>(x.dtype(), [&](auto tag) {
    const auto values = x.data<decltype(tag)>();
    for (size_t i = 0; i < values.size(); ++i)
      if (load(values[i]) != 0) found.push_back(static_cast<int64_t>(i));
  });
  Tensor& y = c.out(0, DType::Int64, {x.rank(), static_cast<int64_t>(found.size())});
  const auto to = y.mutable_data<int64_t>();
  for (size_t d = 0; d < strides.size(); ++d)
    for (size_t i = 0; i < found.size(); ++i) to[d * found.size() + i] = found[i] / strides[d] % x.shape()[d];
  return ok();
}

// ---- Trilu ---------------------------------------------------------------------------------------------------------

Result<Types> infer_trilu(const InferContext& c) {
  if (c.in(0).ranked() && c.in(0).rank() < 2) return c.error("needs at least rank 2, not " + c.in(0).to_string());
  return Types{c.in(0)};
}

Status evaluate_trilu(EvalContext& c) {
  const Tensor& x = c.in(0);
  if (x.rank() < 2) return c.error("needs at least rank 2, not " + to_string(x.shape()));
  const bool upper = c.attrs<TriluAttrs>().upper;
  const int64_t k = c.has(1) ? c.in(1).as_int(0) : 0, rows = x.dim(-2), columns = x.dim(-1);
  std::vector<int64_t> index = arithmetic_sequence(0, 1, x.size());
  for (int64_t& i : index) {
    const int64_t above = i % columns - i / columns % rows;  // which diagonal the element is on
    if (upper ? above < k : above > k) i = kFill;
  }
  c.set_out(0, pick(x, x.shape(), std::move(index)));
  return ok();
}

// ---- Compress ------------------------------------------------------------------------------------------------------

Result<Types> infer_compress(const InferContext& c) {
  const Type& data = c.in(0);
  Dim kept;
  if (const Tensor* condition = c.constant(1)) kept = std::ranges::count(condition->data<bool>(), true);
  const auto axis = c.attrs<CompressAttrs>().axis;
  if (!axis) return Types{Type::tensor(data.dtype, Dims{kept})};
  if (!data.ranked()) return unranked(data.dtype);
  LAPIS_TRY(const int64_t along, c.axis(*axis, data.rank()));
  Dims dims = *data.dims;
  dims[static_cast<size_t>(along)] = kept;
  return Types{Type::tensor(data.dtype, std::move(dims))};
}

// A condition that is too short drops the rest.
Status evaluate_compress(EvalContext& c) {
  const auto axis = c.attrs<CompressAttrs>().axis;
  const Tensor data = axis ? c.in(0) : c.in(0).reshaped({c.in(0).size()});
  LAPIS_TRY(const int64_t along, checked_axis(c, axis.value_or(0), data.rank()));
  const auto condition = c.in(1).data<bool>();
  if (static_cast<int64_t>(condition.size()) > data.dim(along))
    return c.error("the condition is longer than the axis of " + std::to_string(data.dim(along)) + " elements");
  Offsets offsets = identity_offsets(data.shape());
  std::vector<int64_t> kept;
  for (size_t i = 0; i < condition.size(); ++i)
    if (condition[i]) kept.push_back(offsets[static_cast<size_t>(along)][i]);
  offsets[static_cast<size_t>(along)] = std::move(kept);
  c.set_out(0, collect(data, offsets));
  return ok();
}

constexpr TypeSet kOneHotTypes = kNumbers & ~types(DType::BFloat16);
constexpr TypeSet kValues = kTensors & ~types(DType::BFloat16);

}  // namespace

const OpDef Compress = op("Compress")
                           .since(11)
                           .doc("The slices along an axis, or the elements, whose condition holds.")
                           .in("input", kValues)
                           .in("condition", kBool)
                           .out("output", kValues)
                           .attrs<CompressAttrs>()
                           .infer(infer_compress)
                           .evaluate(evaluate_compress)
                           .traits(Trait::Pure | Trait::ValuePreserving)
                           .quant(Quant::SharedScale);

const OpDef NonZero = op("NonZero")
                          .since(13)
                          .doc("The coordinates of the elements that are not zero, one row per axis.")
                          .in("X", kNumbers | kBool)
                          .out("Y", kInt64)
                          .infer(infer_non_zero)
                          .evaluate(evaluate_non_zero)
                          .traits(Trait::Pure);

const OpDef OneHot = op("OneHot")
                         .since(11)
                         .doc("A new axis of `depth` elements: on at the index, off elsewhere.")
                         .in("indices", kOneHotTypes)
                         .in("depth", kOneHotTypes)
                         .in("values", kValues)
                         .out("output", kValues)
                         .attrs<OneHotAttrs>()
                         .infer(infer_one_hot)
                         .evaluate(evaluate_one_hot)
                         .traits(Trait::Pure);

const OpDef Trilu = op("Trilu")
                        .since(14)
                        .doc("The upper or lower triangle of the last two axes, zeros elsewhere.")
                        .in("input", kTensors & ~types(DType::String))
                        .optional_in("k", kInt64)
                        .out("output", kTensors & ~types(DType::String))
                        .attrs<TriluAttrs>()
                        .infer(infer_trilu)
                        .evaluate(evaluate_trilu)
                        .traits(Trait::Pure);

}  // namespace lapis::ops
