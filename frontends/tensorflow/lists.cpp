// Lists of tensors of TensorFlow 2 (list_values.h says what they are in the graph).
#include <algorithm>

#include "frontends/common/build.h"
#include "frontends/common/declared.h"
#include "frontends/tensorflow/list_values.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

Status set_list(Translation& t, Result<Value*> list) {
  LAPIS_TRY(Value * y, std::move(list));
  return frontend::result(t, 0, y);
}

Result<Value*> list_operand(Translation& t, size_t i = 0) { return t.stored(i, Layout::AsWritten); }

Result<DType> dtype_of_elements(const Translation& t) {
  const auto dtype = static_cast<DType>(t.get<int64_t>("element_dtype", static_cast<int64_t>(DType::Float32)));
  if (dtype != DType::Undefined) return dtype;
  return Translation::unsupported("a list of lists, or of elements of a type that Lapis does not have")
      .help("keep the elements in one tensor with more axes");
}

// What an operand says of the sizes of elements, before the model runs.
Shape sizes_said(const Translation& t, size_t operand) {
  const Type& type = t.input(operand).type;
  const auto contents = t.contents(operand);
  const bool has_rank = type.ranked() && type.rank() == 1 && contents;
  std::vector<int64_t> sizes;
  for (const Dim& d : contents.value_or(Dims())) sizes.push_back(d.constant().value_or(0));
  return known_sizes(sizes, has_rank);
}

// Numbers as they are; what is computed is known when the model runs.
Result<Value*> sizes_operand(Translation& t, size_t operand) {
  const Type& type = t.input(operand).type;
  const auto contents = t.contents(operand);
  const bool is_known = contents && std::ranges::all_of(*contents, [](const Dim& d) { return d.is_constant(); });
  if (is_known || !type.ranked() || type.rank() != 1) return frontend::ints(t, sizes_said(t, operand));
  LAPIS_TRY(Value * sizes, as_int64(t, operand));
  return t.add(ops::Max, {sizes, frontend::ints(t, {0})});
}

// Zeros of the sizes that operand 0 says.
Status set_zeros(Translation& t, Value* count) {
  LAPIS_TRY(const DType dtype, dtype_of_elements(t));
  LAPIS_TRY(Value * sizes, sizes_operand(t, 0));
  return set_list(t, zeros(t, count, sizes, dtype));
}

Result<Value*> told_by(Translation& t, size_t operand) {
  LAPIS_CHECK(dtype_of_elements(t));
  LAPIS_TRY(Value * list, list_operand(t));
  return told(t, list, sizes_said(t, operand));
}

// What an operand says of the elements of a result; `axes` of it stand in front of theirs.
Status complete_by(Translation& t, Value* result, size_t operand, Dims in_front) {
  const auto contents = t.contents(operand);
  if (!result->producer() || !contents || !t.input(operand).type.ranked() || t.input(operand).type.rank() != 1)
    return ok();
  for (const Dim& d : *contents) in_front.push_back(d.is_constant() && d.value() < 0 ? Dim::unknown() : d);
  return frontend::complete_type(*result, Type::tensor(result->dtype(), std::move(in_front)));
}

Result<Value*> elements(Translation& t, Value* list, size_t indices) {
  LAPIS_TRY(Value * at, as_int64(t, indices));
  return t.add(ops::Gather, {list, at}, ops::AxisAttrs{.axis = 0});
}

}  // namespace

// ---- lists that begin -----------------------------------------------------------------------------------------------

Status empty_list(Translation& t) { return set_zeros(t, frontend::ints(t, {0})); }

Status list_of_zeros(Translation& t) {
  LAPIS_TRY(Value * count, one_number(t, 1));
  return set_zeros(t, count);
}

Status list_of_rows(Translation& t) {
  LAPIS_CHECK(dtype_of_elements(t));
  return set_list(t, t.real(0, Layout::AsWritten));
}

Status list_of_parts(Translation& t) { return set_list(t, parts_of(t, 0, 2)); }

// Elements at their places, as many as the largest of these says, or more.
Status scattered_list(Translation& t) {
  LAPIS_CHECK(dtype_of_elements(t));
  LAPIS_TRY(Value * rows, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * places, as_int64(t, 1));
  LAPIS_TRY(Value * count, count_for(t, places));
  if (t.has(3)) {
    LAPIS_TRY(Value * fewest, one_number(t, 3));
    LAPIS_TRY(count, t.add(ops::Max, {count, fewest}));
  }
  LAPIS_TRY(Value * sizes, sizes_of(t, rows));
  LAPIS_TRY(Value * list, zeros(t, count, sizes, rows->dtype()));
  return set_list(t, with_rows(t, list, places, rows));
}

// ---- lists that are read --------------------------------------------------------------------------------------------

Status list_element(Translation& t) {
  LAPIS_TRY(Value * list, told_by(t, 2));
  LAPIS_TRY(Value * y, elements(t, list, 1));
  const Type& indices = t.input(1).type;
  if (indices.ranked()) LAPIS_CHECK(complete_by(t, y, 2, Dims(static_cast<size_t>(indices.rank()), Dim::unknown())));
  return frontend::result(t, 0, y);
}

Status list_as_tensor(Translation& t) {
  LAPIS_TRY(Value * list, told_by(t, 1));
  LAPIS_TRY(Value * y, t.add(ops::Identity, {list}));
  const int64_t count = t.get<int64_t>("num_elements", -1);
  LAPIS_CHECK(complete_by(t, y, 1, {count < 0 ? Dim::unknown() : Dim(count)}));
  return frontend::result(t, 0, y);
}

Status list_length(Translation& t) {
  LAPIS_TRY(Value * list, list_operand(t));
  LAPIS_TRY(Value * count, count_of(t, list));
  LAPIS_TRY(count, frontend::reshape(t, count, {}));
  return set_list(t, frontend::cast(t, count, DType::Int32));
}

Status concatenated_list(Translation& t) {
  LAPIS_TRY(Value * list, list_operand(t));
  const auto* declared = std::get_if<std::vector<int64_t>>(&t.attribute("element_shape"));
  LAPIS_TRY(list, told(t, list, declared ? known_sizes(*declared, true) : Shape{0}));
  return set_concatenated(t, list);
}

// The leading sizes that operand 2 gives are those of elements that nobody has set.
Status concatenated_list_v2(Translation& t) {
  LAPIS_TRY(Value * list, told_by(t, 1));
  LAPIS_TRY(const std::vector<int64_t> leading, numbers(t, 2, "leading sizes"));
  for (const int64_t size : leading)
    if (!list->type().ranked() || list->type().rank() < 2 || !list->type().dim(1).is(size))
      return Translation::unsupported("elements whose leading sizes are given one by one")
          .help("give the list the shape of its elements (element_shape)");
  return set_concatenated(t, list);
}

// ---- lists that change ----------------------------------------------------------------------------------------------

Status set_list_element(Translation& t) {
  LAPIS_CHECK(dtype_of_elements(t));
  LAPIS_TRY(Value * list, list_operand(t));
  LAPIS_TRY(Value * place, one_number(t, 1));
  return set_element(t, list, place, 2, t.get<bool>("resize_if_index_out_of_bounds", false));
}

Status push_back(Translation& t) {
  LAPIS_CHECK(dtype_of_elements(t));
  LAPIS_TRY(Value * list, list_operand(t));
  LAPIS_TRY(Value * item, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * row, frontend::unsqueeze(t, item, {0}));
  LAPIS_TRY(list, fitted(t, list, row));
  return set_list(t, joined(t, list, row));
}

Status pop_back(Translation& t) {
  LAPIS_TRY(Value * list, told_by(t, 1));
  LAPIS_TRY(Value * shorter, frontend::slice(t, list, 0, 0, -1));
  LAPIS_CHECK(frontend::result(t, 0, shorter));
  if (t.output_count() < 2) return ok();
  LAPIS_TRY(Value * last, t.add(ops::Gather, {list, frontend::scalar(t, -1, DType::Int64)}, ops::AxisAttrs{.axis = 0}));
  LAPIS_CHECK(complete_by(t, last, 1, {}));
  return frontend::result(t, 1, last);
}

Status resized_list(Translation& t) {
  LAPIS_TRY(Value * list, list_operand(t));
  LAPIS_TRY(Value * count, one_number(t, 1));
  LAPIS_TRY(list, t.add(ops::Slice, {list, frontend::ints(t, {0}), count, frontend::ints(t, {0})}));
  return set_list(t, grown(t, list, count, list));
}

Status joined_lists(Translation& t) {
  LAPIS_CHECK(dtype_of_elements(t));
  LAPIS_TRY(Value * first, list_operand(t, 0));
  LAPIS_TRY(Value * second, list_operand(t, 1));
  LAPIS_TRY(second, fitted(t, second, first));
  LAPIS_TRY(first, fitted(t, first, second));
  return set_list(t, joined(t, first, second));
}

Status scatter_into_list(Translation& t) {
  LAPIS_CHECK(dtype_of_elements(t));
  LAPIS_TRY(Value * list, list_operand(t));
  LAPIS_TRY(Value * places, as_int64(t, 2));
  return set_elements(t, list, places, 1, true);
}

}  // namespace lapis::tensorflow_frontend
