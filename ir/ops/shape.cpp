// Operators that read shapes or make tensors out of nothing but sizes: Shape, Size, ConstantOfShape, Range, EyeLike,
// Constant.
#include <algorithm>
#include <cmath>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kInt64 = types(DType::Int64);

// Contents beyond this are data, not shapes.
constexpr int64_t kSmall = 1024;

// ---- Shape, Size ---------------------------------------------------------------------------------------------------

std::pair<int64_t, int64_t> shape_window(const ShapeAttrs& a, int64_t rank) {
  auto position = [rank](int64_t p) { return std::clamp<int64_t>(p < 0 ? p + rank : p, 0, rank); };
  const int64_t begin = position(a.start), end = position(a.end.value_or(rank));
  return {begin, std::max(begin, end)};
}

Result<Types> infer_shape(const InferContext& c) {
  if (!c.in(0).ranked()) return of_rank(DType::Int64, 1);
  const auto [begin, end] = shape_window(c.attrs<ShapeAttrs>(), c.in(0).rank());
  return Types{Type::tensor(DType::Int64, Dims{end - begin})};
}

std::optional<Dims> propagate_shape(const InferContext& c) {
  if (!c.in(0).ranked()) return std::nullopt;
  const auto [begin, end] = shape_window(c.attrs<ShapeAttrs>(), c.in(0).rank());
  return Dims(c.in(0).dims->begin() + begin, c.in(0).dims->begin() + end);
}

Status evaluate_shape(EvalContext& c) {
  const lapis::Shape& shape = c.in(0).shape();
  const auto [begin, end] = shape_window(c.attrs<ShapeAttrs>(), c.in(0).rank());
  c.set_out(0, Tensor::vector<int64_t>({shape.begin() + begin, shape.begin() + end}));
  return ok();
}

Result<Types> infer_size(const InferContext&) { return Types{Type::tensor(DType::Int64, Dims{})}; }

std::optional<Dims> propagate_size(const InferContext& c) {
  return c.in(0).ranked() ? std::optional(Dims{product(*c.in(0).dims)}) : std::nullopt;
}

Status evaluate_size(EvalContext& c) {
  c.set_out(0, Tensor::scalar<int64_t>(c.in(0).size()));
  return ok();
}

// ---- ConstantOfShape -----------------------------------------------------------------------------------------------

Tensor fill_value(const ConstantOfShapeAttrs& a) {
  return a.value.defined() ? a.value.reshaped({}) : Tensor::scalar(0.0f);
}

Result<Types> infer_constant_of_shape(const InferContext& c) {
  const auto a = c.attrs<ConstantOfShapeAttrs>();
  if (a.value.defined() && a.value.size() != 1)
    return c.error("the value must be one element, not " + to_string(a.value));
  const DType dtype = fill_value(a).dtype();
  if (const auto dims = c.contents(0)) return Types{Type::tensor(dtype, *dims)};
  const auto rank = length_of(c.in(0));
  return rank ? of_rank(dtype, *rank) : unranked(dtype);
}

Status evaluate_constant_of_shape(EvalContext& c) {
  const lapis::Shape shape = c.in(0).as_ints();
  const Tensor value = fill_value(c.attrs<ConstantOfShapeAttrs>());
  LAPIS_CHECK(check_shape(c, value.dtype(), shape));
  c.set_out(0, expand(value, shape));
  return ok();
}

std::optional<Dims> propagate_constant_of_shape(const InferContext& c) {
  const auto shape = numbers_of(c.contents(0));
  const Tensor value = fill_value(c.attrs<ConstantOfShapeAttrs>());
  if (!shape || !is_integer(value.dtype()) || shape_problem(value.dtype(), *shape) || element_count(*shape) > kSmall)
    return std::nullopt;
  return Dims(static_cast<size_t>(element_count(*shape)), Dim(value.as_int(0)));
}

// ---- Range ---------------------------------------------------------------------------------------------------------

constexpr TypeSet kRangeTypes = types(DType::Float32, DType::Float64, DType::Int16, DType::Int32, DType::Int64);

// max(0, ceil((limit - start) / delta))
template <class T> Dim range_count(T start, T limit, T delta) {
  if constexpr (std::is_floating_point_v<T>) {
    const double count =
        std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
    return count <= 0 ? Dim(0) : extent_of(count);
  } else {
    const __int128 distance = static_cast<__int128>(limit) - start, step = delta;
    if (distance == 0 || (distance < 0) != (step < 0)) return 0;
    const __int128 count = (distance + step - (step > 0 ? 1 : -1)) / step;
    return count > kMaxTensorBytes ? Dim::too_large() : Dim(static_cast<int64_t>(count));
  }
}

Result<int64_t> range_count(const EvalContext& c) {
  for (size_t i = 0; i < 3; ++i)
    if (c.in(i).size() != 1) return c.error("start, limit and delta must be single numbers");
  std::optional<Dim> count;
  visit_types<kRangeTypes>(c.in(0).dtype(), [&]<class T>(T) {
    const T delta = c.in(2).data<T>()[0];
    if (delta != 0) count = range_count(c.in(0).data<T>()[0], c.in(1).data<T>()[0], delta);
  });
  if (!count) return c.error("delta cannot be 0");
  if (!count->is_constant()) return c.error("the result is larger than any memory");
  return count->value();
}

Status evaluate_range(EvalContext& c) {
  LAPIS_TRY(const int64_t count, range_count(c));
  Tensor& y = c.out(0, c.in(0).dtype(), {count});
  visit_types<kRangeTypes>(y.dtype(), [&]<class T>(T) {
    const T start = c.in(0).data<T>()[0], delta = c.in(2).data<T>()[0];
    const auto to = y.mutable_data<T>();
    for (size_t i = 0; i < to.size(); ++i) to[i] = in_sequence(start, delta, i);
  });
  return ok();
}

// A symbolic length is taken to be positive: nobody counts from N down to 0 upwards.
Dim range_length(const Dim& start, const Dim& limit, const Dim& delta) {
  if (!delta.is_constant() || delta.is(0)) return Dim::unknown();
  if (start.is_constant() && limit.is_constant()) return range_count(start.value(), limit.value(), delta.value());
  return delta.value() > 0 ? ceil_div(limit - start, delta) : ceil_div(start - limit, Dim(0) - delta);
}

Dim range_length(const InferContext& c) {
  std::vector<Dim> dims;
  std::vector<double> numbers;
  for (size_t i = 0; i < 3; ++i) {
    if (const auto known = c.contents(i); known && known->size() == 1) dims.push_back((*known)[0]);
    if (const Tensor* known = c.constant(i); known && known->size() == 1) numbers.push_back(known->as_double(0));
  }
  if (dims.size() == 3) return range_length(dims[0], dims[1], dims[2]);
  return numbers.size() == 3 && numbers[2] != 0 ? range_count(numbers[0], numbers[1], numbers[2]) : Dim::unknown();
}

Result<Types> infer_range(const InferContext& c) { return Types{Type::tensor(c.in(0).dtype, Dims{range_length(c)})}; }

std::optional<Dims> propagate_range(const InferContext& c) {
  const auto start = numbers_of(c.contents(0)), delta = numbers_of(c.contents(2));
  const auto count = range_length(c).constant();
  if (!start || !delta || start->size() != 1 || delta->size() != 1 || !count || *count > kSmall) return std::nullopt;
  return to_dims(arithmetic_sequence((*start)[0], (*delta)[0], *count));
}

// ---- EyeLike -------------------------------------------------------------------------------------------------------

constexpr TypeSet kEyeTypes = kNumbers | types(DType::Bool);

template <class Context> Result<DType> eye_type(const Context& c, DType input) {
  const auto dtype = c.template attrs<EyeLikeAttrs>().dtype;
  if (!dtype) return input;
  if (!allows(kEyeTypes, dtype_of_number(*dtype)))
    return c.error("attribute dtype " + std::to_string(*dtype) + " is not a number type");
  return dtype_of_number(*dtype);
}

Result<Types> infer_eye_like(const InferContext& c) {
  LAPIS_TRY(const DType dtype, eye_type(c, c.in(0).dtype));
  if (!c.in(0).ranked()) return of_rank(dtype, 2);
  if (c.in(0).rank() != 2) return c.error("needs a matrix, not " + c.in(0).to_string());
  return Types{Type::tensor(dtype, c.in(0).dims)};
}

Status evaluate_eye_like(EvalContext& c) {
  LAPIS_TRY(const DType dtype, eye_type(c, c.in(0).dtype()));
  if (c.in(0).rank() != 2) return c.error("needs a matrix, not " + to_string(c.in(0).shape()));
  const int64_t rows = c.in(0).dim(0), columns = c.in(0).dim(1);
  const int64_t k = std::clamp(c.attrs<EyeLikeAttrs>().k, -rows, columns);  // beyond them no diagonal is left
  Tensor& y = c.out(0, dtype, {rows, columns});
  visit_types<kEyeTypes>(dtype, [&]<class T>(T) {
    const auto to = y.mutable_data<T>();
    for (int64_t row = std::max<int64_t>(0, -k); row < rows && row + k < columns; ++row)
      to[static_cast<size_t>(row * columns + row + k)] = store<T>(Arithmetic<T>(1));
  });
  return ok();
}

// ---- Constant ------------------------------------------------------------------------------------------------------

template <class Context> Result<Tensor> constant_value(const Context& c) {
  const auto a = c.template attrs<ConstantAttrs>();
  if (a.value) return *a.value;
  if (a.value_float) return Tensor::scalar(*a.value_float);
  if (a.value_floats) return Tensor::vector(*a.value_floats);
  if (a.value_int) return Tensor::scalar(*a.value_int);
  if (a.value_ints) return Tensor::vector(*a.value_ints);
  if (a.value_string) return Tensor::strings({}, {*a.value_string});
  if (a.value_strings) return Tensor::strings({static_cast<int64_t>(a.value_strings->size())}, *a.value_strings);
  return c.error("no value is given");
}

Result<Types> infer_constant(const InferContext& c) {
  LAPIS_TRY(const Tensor value, constant_value(c));
  return Types{Type::of(value)};
}

Status evaluate_constant(EvalContext& c) {
  LAPIS_TRY(Tensor value, constant_value(c));
  c.set_out(0, std::move(value));
  return ok();
}

std::optional<Dims> propagate_constant(const InferContext& c) {
  const Result<Tensor> value = constant_value(c);
  if (!value.ok() || !is_integer(value->dtype()) || value->size() > kSmall) return std::nullopt;
  return to_dims(value->as_ints());
}

}  // namespace

const OpDef Constant = op("Constant")
                           .since(25)
                           .doc("The tensor of its attribute.")
                           .out("output")
                           .attrs<ConstantAttrs>()
                           .infer(infer_constant)
                           .evaluate(evaluate_constant)
                           .propagate(propagate_constant)
                           .traits(Trait::Pure);

const OpDef ConstantOfShape = op("ConstantOfShape")
                                  .since(25)
                                  .doc("A tensor of the given shape, every element the same.")
                                  .in("input", kInt64)
                                  .out("output")
                                  .attrs<ConstantOfShapeAttrs>()
                                  .infer(infer_constant_of_shape)
                                  .evaluate(evaluate_constant_of_shape)
                                  .propagate(propagate_constant_of_shape)
                                  .traits(Trait::Pure);

const OpDef EyeLike = op("EyeLike")
                          .since(22)
                          .doc("Ones on one diagonal, zeros elsewhere, in the shape of the input.")
                          .in("input", kEyeTypes)
                          .out("output", kEyeTypes)
                          .attrs<EyeLikeAttrs>()
                          .infer(infer_eye_like)
                          .evaluate(evaluate_eye_like)
                          .traits(Trait::Pure);

const OpDef Range = op("Range")
                        .since(11)
                        .doc("start, start + delta, ... up to but without limit.")
                        .in("start", kRangeTypes, "T")
                        .in("limit", kRangeTypes, "T")
                        .in("delta", kRangeTypes, "T")
                        .out("output", kRangeTypes)
                        .infer(infer_range)
                        .evaluate(evaluate_range)
                        .propagate(propagate_range)
                        .traits(Trait::Pure);

const OpDef ShapeOf = op("Shape")
                          .since(25)
                          .doc("The dimensions of the input, or a window of them, as a vector.")
                          .in("data")
                          .out("shape", kInt64)
                          .attrs<ShapeAttrs>()
                          .infer(infer_shape)
                          .evaluate(evaluate_shape)
                          .propagate(propagate_shape)
                          .traits(Trait::Pure);

const OpDef Size = op("Size")
                       .since(25)
                       .doc("The number of elements.")
                       .in("data")
                       .out("size", kInt64)
                       .infer(infer_size)
                       .evaluate(evaluate_size)
                       .propagate(propagate_size)
                       .traits(Trait::Pure);

}  // namespace lapis::ops
