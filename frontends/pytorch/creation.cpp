// Tensors from nothing but their shape.
#include <variant>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

// What a tensor is filled with: a number, or the argument that holds it, which may be computed.
using Filling = std::variant<double, std::string_view>;

Result<Value*> filling_of(Translation& t, Args& a, const Filling& filling, DType dtype) {
  if (const auto* number = std::get_if<double>(&filling)) return frontend::scalar(t, *number, dtype);
  LAPIS_TRY(Value * value, a.number_or_tensor(std::get<std::string_view>(filling), dtype));
  LAPIS_CHECK(a.status());
  return frontend::cast(t, value, dtype);
}

Result<Value*> filled(Translation& t, Args& a, const Filling& filling, DType fallback) {
  const DType dtype = a.dtype().value_or(fallback);
  LAPIS_TRY(const std::vector<Size> sizes, a.sizes("size"));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * shape, shape_of(t, sizes));
  LAPIS_TRY(Value * value, filling_of(t, a, filling, dtype));
  return t.add(ops::Expand, {value, shape});
}

Status zeros(Translation& t) {
  Args a(t);
  return finish(t, filled(t, a, 0.0, DType::Float32));
}
Status ones(Translation& t) {
  Args a(t);
  return finish(t, filled(t, a, 1.0, DType::Float32));
}

Status full(Translation& t) {
  Args a(t);
  if (!a.is_operand("fill_value")) return finish(t, filled(t, a, "fill_value", type_of_number(t, "fill_value")));
  LAPIS_TRY(const Value* value, a.tensor("fill_value"));
  return finish(t, filled(t, a, "fill_value", value->dtype()));
}

// In the type of self, unless another is asked for.
Status new_filled(Translation& t, const Filling& filling) {
  Args a(t);
  LAPIS_TRY(const Value* x, self(a));
  return finish(t, filled(t, a, filling, x->dtype()));
}
Status new_zeros(Translation& t) { return new_filled(t, 0.0); }
Status new_ones(Translation& t) { return new_filled(t, 1.0); }
Status new_full(Translation& t) { return new_filled(t, "fill_value"); }

// In the shape of self.
Status like(Translation& t, const Filling& filling) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  const DType dtype = a.dtype().value_or(x->dtype());
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * value, filling_of(t, a, filling, dtype));
  return finish(t, t.add(ops::Expand, {value, shape}));
}
Status zeros_like(Translation& t) { return like(t, 0.0); }
Status ones_like(Translation& t) { return like(t, 1.0); }
Status full_like(Translation& t) { return like(t, "fill_value"); }
Status fill(Translation& t) { return like(t, "value"); }

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

// What ONNX counts in.
DType counted_in(DType dtype) {
  const bool counts = dtype == DType::Int16 || dtype == DType::Int32 || is_float(dtype);
  return counts ? dtype : DType::Int64;
}

Status arange(Translation& t) {
  Args a(t);
  const DType wanted = a.dtype().value_or(has_real(t) ? DType::Float32 : DType::Int64), dtype = counted_in(wanted);
  LAPIS_TRY(Value * start, bound(t, a, "start", 0, dtype));
  LAPIS_TRY(Value * end, bound(t, a, "end", 0, dtype));
  LAPIS_TRY(Value * step, bound(t, a, "step", 1, dtype));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * numbers, t.add(ops::Range, {start, end, step}));
  return finish(t, frontend::cast(t, numbers, wanted));
}

// Each counted from the nearer end, as PyTorch does; integers are cut off.
Status linspace(Translation& t) {
  Args a(t);
  const DType dtype = a.dtype().value_or(DType::Float32), real = is_float(dtype) ? dtype : DType::Float32;
  LAPIS_TRY(const Size steps, a.size("steps", 1));
  LAPIS_TRY(Value * start, bound(t, a, "start", 0, real));
  LAPIS_TRY(Value * end, bound(t, a, "end", 0, real));
  LAPIS_TRY(Value * count, as_value(t, steps));
  LAPIS_CHECK(a.status());
  Formula f(t);
  Value *one = f.integers({1}), *at = f.range(count), *last = f.sub({count, one});
  Value* step = f.div({f.sub({end, start}), f.cast(f.max({last, one}), real)});
  Value* from_start = f.add({start, f.mul({step, f.cast(at, real)})});
  Value* from_end = f.sub({end, f.mul({step, f.cast(f.sub({last, at}), real)})});
  Value* is_first_half = f.greater({f.max({f.div({count, f.integers({2})}), one}), at});
  Value* y = f.where({is_first_half, from_start, from_end});
  if (dtype != real) y = f.cast(y, dtype);
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

// Ones on the diagonal of n rows and m columns, or n.
Status eye(Translation& t) {
  Args a(t);
  const DType dtype = a.dtype().value_or(DType::Float32);
  LAPIS_TRY(const Size rows, a.size("n", 0));
  LAPIS_TRY(const Size columns, a.has("m") ? a.size("m", 0) : Result<Size>(rows));
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * shape, shape_of(t, {rows, columns}));
  LAPIS_TRY(Value * zeros, t.add(ops::Expand, {frontend::scalar(t, 0, DType::Float32), shape}));
  LAPIS_TRY(Value * ones, t.add(ops::EyeLike, {zeros}));
  return finish(t, frontend::cast(t, ones, dtype));
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
    {"aten.eye", "n m *dtype layout device pin_memory", eye},
    {"aten.fill", "self value", fill},
    {"aten.full", "size fill_value *dtype layout device pin_memory", full},
    {"aten.full_like", "self fill_value *dtype layout device pin_memory memory_format", full_like},
    {"aten.linspace", "start end steps *dtype layout device pin_memory", linspace},
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
