// Lists of tensors (TensorList of TensorFlow 2, TensorArray of TensorFlow 1) as one tensor with an axis in front. The sizes of the elements of a list
// that is yet to be filled are 0 where they are not known: the loop that fills it tells them (frontends/common/control.cpp).
#include <algorithm>

#include "frontends/common/build.h"
#include "frontends/common/declared.h"
#include "frontends/tensorflow/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

constexpr size_t kFlow = 3;  // the operand of a TensorArray's operator that stands for its elements: the last one

// Of an element: 0 for sizes that are not known, one 0 if not even the rank is.
Shape element_shape(const std::vector<int64_t>& declared, bool is_known) {
  if (!is_known) return {0};
  Shape shape;
  for (const int64_t size : declared) shape.push_back(std::max<int64_t>(size, 0));
  return shape;
}

Result<Shape> element_shape(const Translation& t, size_t operand) {
  LAPIS_TRY(const std::vector<int64_t> sizes, numbers(t, operand, "shapes of elements"));
  const bool has_rank = t.input(operand).type.ranked() && t.input(operand).type.rank() == 1;
  return element_shape(sizes, has_rank);
}

Result<Value*> zeros(Translation& t, Value* count, const Shape& element, DType dtype) {
  LAPIS_TRY(count, frontend::reshape(t, count, {1}));
  LAPIS_TRY(Value * shape, t.add(ops::Concat, {count, frontend::ints(t, element)}, ops::ConcatAttrs{.axis = 0}));
  return t.add(ops::Expand, {frontend::scalar(t, 0, dtype), shape});
}

DType dtype_option(const Translation& t, std::string_view name) {
  return static_cast<DType>(t.get<int64_t>(name, static_cast<int64_t>(DType::Float32)));
}

// A list of as many elements whose type is that of one of them.
Status complete(Value* list, const Value* before, const Value* element) {
  if (!element->type().ranked()) return ok();
  Dims dims = *element->type().dims;
  dims.insert(dims.begin(), before->type().ranked() ? before->type().dim(0) : Dim::unknown());
  return frontend::complete_type(*list, Type::tensor(element->dtype(), std::move(dims)));
}

Result<Value*> with_element(Translation& t, size_t list, size_t index, size_t element) {
  LAPIS_TRY(Value * x, t.stored(list, Layout::AsWritten));
  LAPIS_TRY(Value * item, t.real(element, Layout::AsWritten));
  LAPIS_TRY(Value * row, frontend::unsqueeze(t, item, {0}));
  const Tensor& at = t.input(index).constant;
  const bool is_whole =
      x->type().ranked() && x->type().dim(0).is(1) && at.defined() && at.size() == 1 && at.as_int(0) == 0;
  if (is_whole) return row;
  LAPIS_TRY(Value * place, as_int64(t, index));
  LAPIS_TRY(place, frontend::reshape(t, place, {1, 1}));
  LAPIS_TRY(Value * y, t.add(ops::ScatterND, {x, place, row}, ops::ScatterNDAttrs{}));
  LAPIS_CHECK(complete(y, x, item));
  return y;
}

Status set_list(Translation& t, Result<Value*> list) {
  LAPIS_TRY(Value * y, std::move(list));
  return frontend::result(t, 0, y);
}

Status set_element(Translation& t, size_t list, size_t index, size_t element) {
  if (t.get<bool>("resize_if_index_out_of_bounds", false))
    return Translation::unsupported("a list that grows when an element beyond its end is set");
  return set_list(t, with_element(t, list, index, element));
}

Status elements(Translation& t, size_t list, size_t indices) {
  LAPIS_TRY(Value * x, t.stored(list, Layout::AsWritten));
  LAPIS_TRY(Value * at, as_int64(t, indices));
  return set_list(t, t.add(ops::Gather, {x, at}, ops::AxisAttrs{.axis = 0}));
}

Status length(Translation& t, size_t list) {
  LAPIS_TRY(Value * x, t.stored(list, Layout::AsWritten));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * count, frontend::slice(t, shape, 0, 0, 1));
  LAPIS_TRY(count, frontend::reshape(t, count, {}));
  return set_list(t, cast_to(t, count, DType::Int32));
}

Status same(Translation& t, size_t operand) { return set_list(t, t.stored(operand, Layout::AsWritten)); }

}  // namespace

// ---- TensorList -------------------------------------------------------------------------------------------------------------

Status empty_list(Translation& t) {
  LAPIS_TRY(const Shape element, element_shape(t, 0));
  return set_list(t, zeros(t, frontend::ints(t, {0}), element, dtype_option(t, "element_dtype")));
}

Status list_of_zeros(Translation& t) {
  LAPIS_TRY(const Shape element, element_shape(t, 0));
  LAPIS_TRY(Value * count, as_int64(t, 1));
  return set_list(t, zeros(t, count, element, dtype_option(t, "element_dtype")));
}

Status list_element(Translation& t) { return elements(t, 0, 1); }
Status list_length(Translation& t) { return length(t, 0); }
Status list_as_tensor(Translation& t) { return same(t, 0); }
Status set_list_element(Translation& t) { return set_element(t, 0, 1, 2); }

Status push_back(Translation& t) {
  LAPIS_TRY(Value * x, t.stored(0, Layout::AsWritten));
  LAPIS_TRY(Value * item, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * row, frontend::unsqueeze(t, item, {0}));
  if (x->type().ranked() && x->type().dim(0).is(0)) return set_list(t, row);
  LAPIS_TRY(Value * y, t.add(ops::Concat, {x, row}, ops::ConcatAttrs{.axis = 0}));
  return frontend::result(t, 0, y);
}

// ---- TensorArray: the handle says nothing, the flow is the list ----------------------------------------------------------------

Status tensor_array(Translation& t) {
  if (t.get<bool>("dynamic_size", false)) return Translation::unsupported("an array that grows");
  LAPIS_TRY(Value * count, as_int64(t, 0));
  const auto* declared = std::get_if<std::vector<int64_t>>(&t.attribute("element_shape"));
  const Shape element = element_shape(declared ? *declared : std::vector<int64_t>(), declared);
  t.set_constant(0, Tensor::scalar<int32_t>(0));
  if (t.output_count() < 2 || t.node().outputs[1].empty()) return ok();
  LAPIS_TRY(Value * flow, zeros(t, count, element, dtype_option(t, "dtype")));
  return frontend::result(t, 1, flow);
}

Status read_array(Translation& t) { return elements(t, 2, 1); }
Status write_array(Translation& t) { return set_element(t, kFlow, 1, 2); }
Status gather_array(Translation& t) { return elements(t, 2, 1); }
Status array_length(Translation& t) { return length(t, 1); }

// All elements at once, in their order.
Status scatter_array(Translation& t) {
  LAPIS_TRY(Value * list, t.stored(kFlow, Layout::AsWritten));
  LAPIS_TRY(Value * all, t.real(2, Layout::AsWritten));
  const auto places = t.contents(1);
  bool in_order = places.has_value();
  for (size_t i = 0; in_order && i < places->size(); ++i) in_order = (*places)[i].is(static_cast<int64_t>(i));
  const bool is_whole =
      in_order && list->type().ranked() && all->type().ranked() && list->type().dim(0) == all->type().dim(0);
  if (!is_whole) return Translation::unsupported("elements that are set in another order than theirs");
  return set_list(t, all);
}

}  // namespace lapis::tensorflow_frontend
