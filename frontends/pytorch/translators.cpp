#include "frontends/pytorch/translators.h"

#include <algorithm>
#include <unordered_map>

#include "frontends/pytorch/aliases.h"
#include "frontends/pytorch/import.h"
#include "frontends/pytorch/writer.h"

namespace lapis::pytorch_frontend {
namespace {

constexpr size_t kMostOperands = 4096;

// By how much they hold.
constexpr DType kOrder[] = {DType::Bool,  DType::UInt8,   DType::Int8,     DType::Int16,   DType::Int32,
                            DType::Int64, DType::Float16, DType::BFloat16, DType::Float32, DType::Float64};

size_t place(DType dtype) {
  return static_cast<size_t>(std::find(std::begin(kOrder), std::end(kOrder), dtype) - std::begin(kOrder));
}

int category(DType dtype) { return is_float(dtype) ? 2 : dtype == DType::Bool ? 0 : 1; }

// A number, or a tensor without axes, decides the type only if it is of a higher category than the tensor.
DType with_scalar(DType tensor, DType scalar) { return category(scalar) > category(tensor) ? scalar : tensor; }

bool has_axes(const Value* x) { return !x->type().ranked() || x->type().rank() > 0; }

DType type_of_both(const Value* a, const Value* b) {
  if (has_axes(a) == has_axes(b)) return promoted(a->dtype(), b->dtype());
  return has_axes(a) ? with_scalar(a->dtype(), b->dtype()) : with_scalar(b->dtype(), a->dtype());
}

Result<Pair> cast_both(Translation& t, Value* a, Value* b, DType to) {
  Pair p{};
  LAPIS_TRY(p.a, frontend::cast(t, a, to));
  LAPIS_TRY(p.b, frontend::cast(t, b, to));
  return p;
}

std::vector<AtenRow> all_rows() {
  std::vector<AtenRow> rows;
  for (const auto family :
       {activation_rows(), elementwise_rows(),  shape_rows(),    reduction_rows(),    window_rows(),
        product_rows(),    indexing_rows(),     creation_rows(), quantization_rows(), recurrent_rows(),
        encoder_rows(),    higher_order_rows(), torchao_rows(),  box_rows(),          deformable_rows(),
        part_rows(),       derived_rows(),      stride_rows(),   distance_rows(),     bag_rows(),
        sampling_rows(),   mask_rows(),         column_rows(),   scatter_rows(),      special_rows(),
        running_rows(),    order_rows(),        count_rows(),    arrangement_rows()})
    rows.insert(rows.end(), family.begin(), family.end());
  std::vector<AtenRow> named_otherwise;
  for (const Alias& alias : aliases())
    for (AtenRow row : rows)
      if (row.op == alias.op) {
        row.op = alias.name;
        named_otherwise.push_back(row);
      }
  rows.insert(rows.end(), named_otherwise.begin(), named_otherwise.end());
  std::sort(rows.begin(), rows.end(), [](const AtenRow& a, const AtenRow& b) { return a.op < b.op; });
  return rows;
}

}  // namespace

std::span<const AtenRow> aten_rows() {
  static const std::vector<AtenRow> rows = all_rows();
  return rows;
}

const AtenRow* find_aten(std::string_view op) {
  const auto rows = aten_rows();
  const auto it = std::lower_bound(rows.begin(), rows.end(), op,
                                   [](const AtenRow& row, std::string_view name) { return row.op < name; });
  return it != rows.end() && it->op == op ? &*it : nullptr;
}

std::span<const frontend::Translator> translators() {
  static const std::vector<frontend::Translator> all = [] {
    std::vector<frontend::Translator> table;
    for (const AtenRow& row : aten_rows()) table.push_back({row.op, 1, 1, 0, kMostOperands, row.translate});
    return table;
  }();
  return all;
}

Status finish(Translation& t, Result<Value*> y) {
  LAPIS_TRY(Value * value, std::move(y));
  return frontend::result(t, 0, value);
}

Status finish_some(Translation& t, const std::vector<Value*>& values) {
  for (size_t i = 0; i < std::min(values.size(), t.node().outputs.size()); ++i)
    if (!t.node().outputs[i].empty()) LAPIS_CHECK(frontend::result(t, i, values[i]));
  return ok();
}

DType type_of_number(const Translation& t, std::string_view name) {
  const auto it = t.node().attributes.find(name);
  if (it != t.node().attributes.end() && std::holds_alternative<bool>(it->second)) return DType::Bool;
  const bool is_real = it != t.node().attributes.end() && std::holds_alternative<double>(it->second);
  return is_real ? DType::Float32 : DType::Int64;
}

DType promoted(DType a, DType b) {
  if (a == b) return a;
  if (place(a) > place(b)) std::swap(a, b);
  if (a == DType::UInt8 && b == DType::Int8) return DType::Int16;
  if (a == DType::Float16 && b == DType::BFloat16) return DType::Float32;
  return b;
}

Result<Value*> as_real(Translation& t, Value* x) {
  return is_float(x->dtype()) ? Result<Value*>(x) : frontend::cast(t, x, DType::Float32);
}

namespace {

// Cast to what becomes of their common type.
Result<Pair> pair_in(Translation& t, Args& args, std::string_view left, std::string_view right, DType (*of)(DType)) {
  if (!args.is_operand(left)) {
    LAPIS_TRY(Value * b, args.tensor(right));
    const DType type = of(with_scalar(b->dtype(), type_of_number(t, left)));
    LAPIS_TRY(Value * a, args.number_or_tensor(left, type));
    LAPIS_CHECK(args.status());
    return cast_both(t, a, b, type);
  }
  LAPIS_TRY(Value * a, args.tensor(left));
  if (args.is_operand(right)) {
    LAPIS_TRY(Value * b, args.tensor(right));
    return cast_both(t, a, b, of(type_of_both(a, b)));
  }
  const DType type = of(with_scalar(a->dtype(), type_of_number(t, right)));
  LAPIS_TRY(Value * b, args.number_or_tensor(right, type));
  LAPIS_CHECK(args.status());
  return cast_both(t, a, b, type);
}

DType as_it_is(DType type) { return type; }
DType as_real_type(DType type) { return is_float(type) ? type : DType::Float32; }

}  // namespace

Result<Pair> pair(Translation& t, Args& args, std::string_view left, std::string_view right) {
  return pair_in(t, args, left, right, as_it_is);
}

Result<Pair> real_pair(Translation& t, Args& args, std::string_view left, std::string_view right) {
  return pair_in(t, args, left, right, as_real_type);
}

Result<std::vector<Value*>> in_one_type(Translation& t, std::vector<Value*> values) {
  const Value* type = values[0];
  DType common = type->dtype();
  bool some_has_axes = has_axes(type);
  for (const Value* value : values) {
    const bool decides = has_axes(value);
    common = decides == some_has_axes ? promoted(common, value->dtype())
             : decides                ? with_scalar(value->dtype(), common)
                                      : with_scalar(common, value->dtype());
    some_has_axes = some_has_axes || decides;
  }
  for (Value*& value : values) {
    LAPIS_TRY(value, frontend::cast(t, value, common));
  }
  return values;
}

Status apply(Translation& t, const OpDef& op) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(op, {x}));
}

Status apply_to_real(Translation& t, const OpDef& op) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, as_real(t, x));
  return finish(t, t.add(op, {x}));
}

Status combine(Translation& t, const OpDef& op) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  return finish(t, t.add(op, {p.a, p.b}));
}

Status same(Translation& t) {
  if (t.node().inputs.empty()) return error(ErrorKind::Input, "has no operand");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  return finish(t, t.add(ops::Identity, {x}));
}

}  // namespace lapis::pytorch_frontend
