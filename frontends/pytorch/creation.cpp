// Tensors from nothing but their shape.
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

Result<Value*> filled(Translation& t, Args& a, double value, DType fallback) {
  const DType dtype = a.dtype().value_or(fallback);
  LAPIS_TRY(const std::vector<Size> sizes, a.sizes("size"));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * shape, shape_of(t, sizes));
  return t.add(ops::Expand, {frontend::scalar(t, value, dtype), shape});
}

Status zeros(Translation& t) {
  Args a(t);
  return finish(t, filled(t, a, 0, DType::Float32));
}
Status ones(Translation& t) {
  Args a(t);
  return finish(t, filled(t, a, 1, DType::Float32));
}

Status full(Translation& t) {
  Args a(t);
  if (a.is_operand("fill_value")) return Translation::unsupported("a value that is computed");
  const double value = a.number("fill_value", 0);
  return finish(t, filled(t, a, value, type_of_number(t, "fill_value")));
}

// In the type of self, unless another is asked for.
Status new_filled(Translation& t, double value) {
  Args a(t);
  LAPIS_TRY(const Value* x, self(a));
  return finish(t, filled(t, a, value, x->dtype()));
}
Status new_zeros(Translation& t) { return new_filled(t, 0); }
Status new_ones(Translation& t) { return new_filled(t, 1); }
Status new_full(Translation& t) {
  Args a(t);
  const double value = a.number("fill_value", 0);
  LAPIS_CHECK(a.status());
  return new_filled(t, value);
}

// In the shape of self.
Status like(Translation& t, double value) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  const DType dtype = a.dtype().value_or(x->dtype());
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  return finish(t, t.add(ops::Expand, {frontend::scalar(t, value, dtype), shape}));
}
Status zeros_like(Translation& t) { return like(t, 0); }
Status ones_like(Translation& t) { return like(t, 1); }
Status full_like(Translation& t) {
  Args a(t);
  const double value = a.number(a.has("fill_value") ? "fill_value" : "value", 0);
  LAPIS_CHECK(a.status());
  return like(t, value);
}

// Numbers from start to end; integers unless a number is none.
bool has_real(const Translation& t) {
  for (const char* name : {"start", "end", "step"}) {
    const auto it = t.node().attributes.find(name);
    if (it != t.node().attributes.end() && std::holds_alternative<double>(it->second)) return true;
  }
  return false;
}

Result<Value*> bound(Translation& t, Args& a, std::string_view name, double fallback, DType dtype) {
  if (!a.has(name)) return frontend::scalar(t, fallback, dtype);
  LAPIS_TRY(Value * value, a.number_or_tensor(name, dtype));
  return frontend::cast(t, value, dtype);
}

Status arange(Translation& t) {
  Args a(t);
  const DType dtype = a.dtype().value_or(has_real(t) ? DType::Float32 : DType::Int64);
  LAPIS_TRY(Value * start, bound(t, a, "start", 0, dtype));
  LAPIS_TRY(Value * end, bound(t, a, "end", 0, dtype));
  LAPIS_TRY(Value * step, bound(t, a, "step", 1, dtype));
  LAPIS_CHECK(a.status());
  return finish(t, t.add(ops::Range, {start, end, step}));
}

Status scalar_tensor(Translation& t) {
  Args a(t);
  const DType dtype = a.dtype().value_or(DType::Float32);
  LAPIS_TRY(Value * value, a.number_or_tensor("s", dtype));
  LAPIS_CHECK(a.status());
  return finish(t, frontend::cast(t, value, dtype));
}

// A number, which may be computed, as a tensor.
Status tensor_of_number(Translation& t) {
  Args a(t);
  if (!a.is_operand("data") && std::holds_alternative<std::vector<int64_t>>(t.attribute("data")))
    return Translation::unsupported("a tensor made of a list of numbers");
  LAPIS_TRY(Value * value, a.number_or_tensor("data", type_of_number(t, "data")));
  const DType dtype = a.dtype().value_or(value->dtype());
  LAPIS_CHECK(a.status());
  return finish(t, frontend::cast(t, value, dtype));
}

constexpr AtenRow kRows[] = {
    {"aten.arange", "start end step *dtype layout device pin_memory", arange},
    {"aten.empty", "size *dtype layout device pin_memory memory_format", zeros},
    {"aten.empty_like", "self *dtype layout device pin_memory memory_format", zeros_like},
    {"aten.empty_permuted", "size physical_layout *dtype layout device pin_memory", zeros},
    {"aten.empty_strided", "size stride *dtype layout device pin_memory", zeros},
    {"aten.fill", "self value", full_like},
    {"aten.full", "size fill_value *dtype layout device pin_memory", full},
    {"aten.full_like", "self fill_value *dtype layout device pin_memory memory_format", full_like},
    {"aten.new_empty", "self size *dtype layout device pin_memory", new_zeros},
    {"aten.new_full", "self size fill_value *dtype layout device pin_memory", new_full},
    {"aten.new_ones", "self size *dtype layout device pin_memory", new_ones},
    {"aten.new_zeros", "self size *dtype layout device pin_memory", new_zeros},
    {"aten.ones", "size *dtype layout device pin_memory", ones},
    {"aten.ones_like", "self *dtype layout device pin_memory memory_format", ones_like},
    {"aten.scalar_tensor", "s *dtype layout device pin_memory", scalar_tensor},
    {"aten.tensor", "data *dtype device requires_grad", tensor_of_number},
    {"aten.zero", "self", zeros_like},
    {"aten.zeros", "size *dtype layout device pin_memory", zeros},
    {"aten.zeros_like", "self *dtype layout device pin_memory memory_format", zeros_like},
};

}  // namespace

std::span<const AtenRow> creation_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
