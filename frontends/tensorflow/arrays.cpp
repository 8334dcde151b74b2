// Arrays of tensors of TensorFlow 1: the flow is the list (list_values.h), the handle says whether it grows.
#include "frontends/common/build.h"
#include "frontends/tensorflow/list_values.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

constexpr size_t kFlow = 3;  // of the operators that set elements

Result<Value*> flow(Translation& t, size_t operand) { return t.stored(operand, Layout::AsWritten); }

bool grows(const Translation& t) {
  const Tensor& handle = t.input(0).constant;
  return handle.defined() && handle.size() == 1 && handle.as_int(0) != 0;
}

Shape sizes_of_attribute(const Translation& t, const char* name, bool is_behind_first = false) {
  const auto* declared = std::get_if<std::vector<int64_t>>(&t.attribute(name));
  if (!declared) return {0};
  std::vector<int64_t> sizes = *declared;
  if (is_behind_first) sizes.insert(sizes.begin(), 0);
  return known_sizes(sizes, true);
}

Status set_elements_of(Translation& t, size_t indices, const Shape& sizes) {
  LAPIS_TRY(Value * list, flow(t, 2));
  LAPIS_TRY(list, told(t, list, sizes));
  LAPIS_TRY(Value * at, as_int64(t, indices));
  LAPIS_TRY(Value * y, t.add(ops::Gather, {list, at}, ops::AxisAttrs{.axis = 0}));
  return frontend::result(t, 0, y);
}

}  // namespace

Status tensor_array(Translation& t) {
  LAPIS_TRY(Value * count, one_number(t, 0));
  const auto dtype = static_cast<DType>(t.get<int64_t>("dtype", static_cast<int64_t>(DType::Float32)));
  if (dtype == DType::Undefined)
    return Translation::unsupported("an array of elements of a type that Lapis does not have");
  t.set_constant(0, Tensor::scalar<int32_t>(t.get<bool>("dynamic_size", false) ? 1 : 0));
  if (t.output_count() < 2 || t.node().outputs[1].empty()) return ok();
  LAPIS_TRY(Value * list, zeros(t, count, frontend::ints(t, sizes_of_attribute(t, "element_shape")), dtype));
  return frontend::result(t, 1, list);
}

Status read_array(Translation& t) { return set_elements_of(t, 1, {0}); }
Status gather_array(Translation& t) { return set_elements_of(t, 1, sizes_of_attribute(t, "element_shape")); }

Status array_length(Translation& t) {
  LAPIS_TRY(Value * list, flow(t, 1));
  LAPIS_TRY(Value * count, count_of(t, list));
  LAPIS_TRY(count, frontend::reshape(t, count, {}));
  LAPIS_TRY(count, frontend::cast(t, count, DType::Int32));
  return frontend::result(t, 0, count);
}

Status concatenated_array(Translation& t) {
  LAPIS_TRY(Value * list, flow(t, 1));
  LAPIS_TRY(list, told(t, list, sizes_of_attribute(t, "element_shape_except0", true)));
  return set_concatenated(t, list);
}

Status write_array(Translation& t) {
  LAPIS_TRY(Value * list, flow(t, kFlow));
  LAPIS_TRY(Value * place, one_number(t, 1));
  return set_element(t, list, place, 2, grows(t));
}

Status scatter_array(Translation& t) {
  LAPIS_TRY(Value * list, flow(t, kFlow));
  LAPIS_TRY(Value * places, as_int64(t, 1));
  return set_elements(t, list, places, 2, grows(t));
}

Status split_array(Translation& t) {
  LAPIS_TRY(Value * parts, parts_of(t, 1, 2));
  return frontend::result(t, 0, parts);
}

}  // namespace lapis::tensorflow_frontend
